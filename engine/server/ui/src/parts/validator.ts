// Checks form data without making code at run time, which the policy of the pages forbids (and ajv does).
import { Validator } from "@cfworker/json-schema";
import { toErrorSchema, type RJSFSchema, type RJSFValidationError, type ValidatorType } from "@rjsf/utils";

type Schema = RJSFSchema;

/** Errors as a person reads them, at the field that they are about. */
export function check(schema: Schema, data: unknown): RJSFValidationError[] {
  // What is not there yet is undefined in the form, and has to be absent here.
  const instance = data === undefined ? {} : (JSON.parse(JSON.stringify(data)) as unknown);
  const { errors } = new Validator(schema as object, "2020-12", false).validate(instance);
  return errors
    .filter(({ keyword }) => !["properties", "items", "$ref", "additionalProperties", "prefixItems"].includes(keyword))
    .map(({ keyword, instanceLocation, error }) => {
      const missing = keyword === "required" ? /"([^"]+)"/.exec(error)?.[1] : undefined;
      const parts = instanceLocation.split("/").slice(1);
      if (missing) parts.push(missing);
      const property = parts.map((part) => `.${part}`).join("");
      const message = missing ? "is required" : plainly(error);
      return { name: keyword, property, message, stack: `${property} ${message}` };
    });
}

function plainly(error: string): string {
  return error.replace(/^Instance /, "").replace(/\.$/, "");
}

export const validator: ValidatorType<unknown, Schema> = {
  validateFormData(data, schema, _custom, transform, uiSchema) {
    const errors = transform ? transform(check(schema, data), uiSchema) : check(schema, data);
    return { errors, errorSchema: toErrorSchema(errors) };
  },
  isValid(schema, data, root) {
    try {
      return check({ ...(root.$defs ? { $defs: root.$defs } : {}), ...schema } as Schema, data).length === 0;
    } catch {
      return false;
    }
  },
  rawValidation<Result>(schema: Schema, data?: unknown) {
    return { errors: check(schema, data) as Result[] };
  },
};
