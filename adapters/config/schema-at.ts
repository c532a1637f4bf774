import { z } from 'zod';
import { configSchema } from '../../domain/config.ts';

/** What the schema declares at a path of the file. Asked only once something is wrong. */

/** The part of JSON Schema that zod makes of our schema. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | false;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  /** Told apart by their kind. */
  readonly oneOf?: readonly Shape[];
  readonly pattern?: string;
}

/** Names of the fields that may stand at a path. */
export function fieldsAt(path: readonly PropertyKey[]): string[] {
  return [...new Set(shapesAt(path).flatMap((shape) => Object.keys(shape.properties ?? {})))];
}

/** Does a reference to a secret belong here? Then a wrong value may be the secret itself. */
export function isSecretAt(path: readonly PropertyKey[]): boolean {
  return shapesAt(path).some(({ pattern }) => pattern?.includes('env:'));
}

function shapesAt(path: readonly PropertyKey[]): Shape[] {
  let shapes = alternatives(z.toJSONSchema(configSchema, { io: 'input' }) as Shape);
  for (const key of path) shapes = shapes.flatMap((shape) => inside(shape, key)).flatMap(alternatives);
  return shapes;
}

function inside(shape: Shape, key: PropertyKey): Shape[] {
  const inner =
    typeof key === 'number' ? shape.items : (shape.properties?.[String(key)] ?? shape.additionalProperties);
  return inner ? [inner] : [];
}

const alternatives = (shape: Shape): Shape[] =>
  (shape.anyOf ?? shape.oneOf)?.flatMap(alternatives) ?? [shape];
