import { z } from 'zod';
import { code, page, section, table } from './markdown.ts';

/** The part of JSON Schema that zod makes of our schema. */
interface Shape {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  /** Told apart by the one property that has a constant in each. */
  readonly oneOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Shape | false;
}

interface Field {
  readonly path: string;
  readonly shape: Shape;
  readonly required: boolean;
}

/** Every field of the schema: path, type, default, meaning. */
export function configurationPage(schema: z.ZodType): string {
  const root = z.toJSONSchema(schema, { io: 'input' }) as Shape;
  const rows = fieldsOf('', root).map(({ path, shape, required }) => [
    code(path),
    typeOf(shape),
    required ? '**required**' : defaultOf(shape),
    shape.description ?? '',
  ]);
  return page(
    'Configuration',
    '`tyk-dr.yaml`, found by `--config`, else `TYK_DR_CONFIG`, else in the current folder. `tyk-dr init` writes a ' +
      'commented example, `tyk-dr config show` prints what a file means. `<name>` stands for a name of your own, ' +
      '`[]` for each entry of a list, `(kind)` for a section with that kind. Fields that are not listed here are errors.',
    [section('Fields', table(['field', 'type', 'default', 'meaning'], rows))],
  );
}

function fieldsOf(path: string, shape: Shape): Field[] {
  const at = (inner: string): string => (path === '' ? inner : `${path}.${inner}`);
  const properties = Object.entries(shape.properties ?? {}).flatMap(([name, inner]) => {
    const field = { path: at(name), shape: inner, required: shape.required?.includes(name) ?? false };
    return [field, ...fieldsOf(field.path, inner)];
  });
  const named = shape.additionalProperties ? fieldsOf(at('<name>'), shape.additionalProperties) : [];
  const listed = shape.items?.properties ? fieldsOf(`${path}[]`, shape.items) : [];
  const alternatives = (shape.anyOf ?? []).flatMap((inner) =>
    // Each alternative requires its own fields; of the group as a whole, none is.
    fieldsOf(path, inner).map((field) => ({ ...field, required: false })),
  );
  const kinds = (shape.oneOf ?? []).flatMap((inner) => fieldsOf(`${path}(${kindOf(inner)})`, inner));
  return [...properties, ...named, ...listed, ...alternatives, ...kinds];
}

function kindOf({ properties = {} }: Shape): string {
  return String(Object.values(properties).find((property) => property.const !== undefined)?.const);
}

function typeOf(shape: Shape): string {
  if (shape.oneOf) return `one of: ${shape.oneOf.map(kindOf).join(', ')}`;
  if (shape.anyOf)
    return `one of: ${shape.anyOf.map((inner) => Object.keys(inner.properties ?? {}).join('+')).join(', ')}`;
  if (shape.const !== undefined) return code(String(shape.const));
  if (shape.enum) return shape.enum.map((value) => code(String(value))).join(', ');
  if (shape.type === 'array') return `list of ${shape.items ? typeOf(shape.items) : 'values'}`;
  if (shape.type === 'object') return shape.additionalProperties ? 'named entries' : 'group';
  if (shape.type === 'integer' || shape.type === 'number') return `number${rangeOf(shape)}`;
  return textOf(shape);
}

function textOf({ format, pattern = '' }: Shape): string {
  if (pattern.includes('env:'))
    return `secret: ${['env:NAME', 'file:/path', 'command:["word"]'].map(code).join(', ')}`;
  if (format === 'uri') return 'http or https address';
  if (pattern === '^\\/') return `text that begins with ${code('/')}`;
  return 'text';
}

/** Beyond these, a bound is only the largest number there is. */
const NO_BOUND = Number.MAX_SAFE_INTEGER;

function rangeOf({ minimum = -NO_BOUND, maximum = NO_BOUND }: Shape): string {
  if (minimum > -NO_BOUND && maximum < NO_BOUND) return `, ${minimum} to ${maximum}`;
  return minimum > -NO_BOUND ? `, at least ${minimum}` : '';
}

function defaultOf({ default: value }: Shape): string {
  if (value === undefined || (typeof value === 'object' && value !== null)) return '';
  return code(String(value));
}
