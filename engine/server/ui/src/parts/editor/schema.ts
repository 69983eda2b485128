// Walks a JSON Schema along a path of keys, to say what may stand there.

export interface JsonSchema {
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  type?: string | string[];
  description?: string;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
}

export interface Choice {
  label: string;
  detail: string;
  doc: string;
  /** Whether a mapping or list follows, so that a new line is due after it. */
  nested: boolean;
}

/** The schema and all that it stands for: references followed, alternatives side by side. */
function spread(root: JsonSchema, schema: JsonSchema | undefined, depth = 0): JsonSchema[] {
  if (!schema || typeof schema !== "object" || depth > 12) return [];
  const parts = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].flatMap((one) => spread(root, one, depth + 1));
  if (schema.$ref?.startsWith("#/")) {
    const target = schema.$ref
      .slice(2)
      .split("/")
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], root);
    parts.push(...spread(root, target as JsonSchema | undefined, depth + 1));
  }
  return [schema, ...parts];
}

/** The schemas of what is at the path. */
export function schemasAt(root: JsonSchema, path: string[]): JsonSchema[] {
  let here = spread(root, root);
  for (const key of path) {
    here = here.flatMap((one) => {
      if (key === "[]") return spread(root, one.items);
      const next = one.properties?.[key] ?? (typeof one.additionalProperties === "object" ? one.additionalProperties : undefined);
      return spread(root, next);
    });
  }
  return here;
}

function typeOf(root: JsonSchema, schema: JsonSchema): string {
  const all = spread(root, schema);
  const types = new Set(all.flatMap((one) => one.type ?? (one.enum ? "choice" : [])).filter((type) => type !== "null"));
  return [...types].join(" or ");
}

/** Keys that may stand in the mapping at the path. */
export function keysAt(root: JsonSchema, path: string[]): Choice[] {
  const found = new Map<string, Choice>();
  for (const schema of schemasAt(root, path)) {
    for (const [key, value] of Object.entries(schema.properties ?? {})) {
      const type = typeOf(root, value);
      if (!found.has(key)) found.set(key, { label: key, detail: type, doc: docOf(root, value), nested: /object|array/.test(type) && !/string|choice/.test(type) });
    }
  }
  return [...found.values()];
}

/** Values that may stand at the path. */
export function valuesAt(root: JsonSchema, path: string[]): Choice[] {
  const found = new Map<string, Choice>();
  for (const schema of schemasAt(root, path)) {
    const values = [...(schema.enum ?? []), ...("const" in schema ? [schema.const] : []), ...(schema.type === "boolean" || (Array.isArray(schema.type) && schema.type.includes("boolean")) ? [true, false] : [])];
    for (const value of values) {
      if (value === null || typeof value === "object") continue;
      const label = String(value);
      if (!found.has(label)) found.set(label, { label, detail: "", doc: schema.description ?? "", nested: false });
    }
  }
  return [...found.values()];
}

function docOf(root: JsonSchema, schema: JsonSchema | undefined): string {
  return spread(root, schema).find((one) => one.description)?.description ?? "";
}

/** What the key at the path is for. */
export function docAt(root: JsonSchema, path: string[]): { doc: string; type: string } | undefined {
  const key = path.at(-1);
  if (key === undefined) return undefined;
  const schema = schemasAt(root, path.slice(0, -1))
    .map((one) => one.properties?.[key])
    .find(Boolean);
  if (!schema) return undefined;
  return { doc: docOf(root, schema), type: typeOf(root, schema) };
}
