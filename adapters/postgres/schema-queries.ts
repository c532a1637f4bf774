/** Each query lists one kind of object by name, with its definition as text and without any object id. */

/** Where the beacon keeps its numbers: no part of Tyk's schema, and not there in older sets. */
export const BEACON_SCHEMA = 'tyk_dr';

/** Objects of users: not of the system, and not members of an extension, which come with its version. */
const USER_SCHEMAS = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '${BEACON_SCHEMA}')`;
const notOfExtension = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

export const SCHEMA_QUERIES: Readonly<Record<string, string>> = {
  extensions: 'SELECT extname, extversion FROM pg_extension ORDER BY 1',
  relations: `
    SELECT n.nspname, c.relname, c.relkind, c.relpersistence, c.reloptions::text, c.relrowsecurity,
           pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${USER_SCHEMAS}
       AND ${notOfExtension('pg_class', 'c.oid')} ORDER BY 1, 2`,
  columns: `
    SELECT n.nspname, c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
           format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
           pg_get_expr(f.adbin, f.adrelid), co.collname
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_attrdef f ON f.adrelid = c.oid AND f.adnum = a.attnum
      LEFT JOIN pg_collation co ON co.oid = a.attcollation
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND ${USER_SCHEMAS}
       AND ${notOfExtension('pg_class', 'c.oid')} ORDER BY 1, 2, 3`,
  indexes: `
    SELECT n.nspname, c.relname, pg_get_indexdef(c.oid), i.indisvalid, i.indisprimary, i.indisreplident
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE ${USER_SCHEMAS} AND ${notOfExtension('pg_class', 'i.indrelid')} ORDER BY 1, 2`,
  constraints: `
    SELECT n.nspname, c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid), c.convalidated
      FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
     WHERE ${USER_SCHEMAS} AND ${notOfExtension('pg_class', 'c.conrelid')} ORDER BY 1, 2, 3`,
  views: `
    SELECT n.nspname, c.relname, pg_get_viewdef(c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('v', 'm') AND ${USER_SCHEMAS} AND ${notOfExtension('pg_class', 'c.oid')} ORDER BY 1, 2`,
  sequences: `
    SELECT n.nspname, c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
           s.seqcycle
      FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE ${USER_SCHEMAS} AND ${notOfExtension('pg_class', 'c.oid')} ORDER BY 1, 2`,
  functions: `
    SELECT n.nspname, p.proname, pg_get_function_identity_arguments(p.oid),
           CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) ELSE p.prosrc END
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE ${USER_SCHEMAS} AND ${notOfExtension('pg_proc', 'p.oid')} ORDER BY 1, 2, 3`,
  triggers: `
    SELECT n.nspname, c.relname, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT t.tgisinternal AND ${USER_SCHEMAS} ORDER BY 1, 2, 3`,
  enums: `
    SELECT n.nspname, t.typname, e.enumlabel
      FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE ${USER_SCHEMAS} ORDER BY 1, 2, e.enumsortorder`,
};
