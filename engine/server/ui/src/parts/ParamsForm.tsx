// The form of a DAG's parameters, made of their JSON Schema.
// Not from the package itself: its index also loads a validator that makes code at run time.
import Form from "@rjsf/core/lib/components/Form.js";
import type { FieldTemplateProps, ObjectFieldTemplateProps, RJSFSchema, WidgetProps } from "@rjsf/utils";
import { createContext, useContext, useEffect, useMemo, useState } from "react";
import { check, validator } from "./validator";

interface Props {
  schema: RJSFSchema;
  value: Record<string, unknown>;
  onChange: (value: Record<string, unknown>) => void;
  /** Told the names of the parameters that cannot be sent as they are typed. */
  onWrong: (names: string[]) => void;
}

/** Where a field says whether what is typed in it is JSON. */
const Broken = createContext<(name: string, broken: boolean) => void>(() => undefined);

export default function ParamsForm({ schema, value, onChange, onWrong }: Props) {
  const [broken, setBroken] = useState<ReadonlySet<string>>(new Set());
  const mark = useMemo(
    () => (name: string, is: boolean) =>
      setBroken((old) => {
        if (old.has(name) === is) return old;
        const next = new Set(old);
        if (is) next.add(name);
        else next.delete(name);
        return next;
      }),
    [],
  );
  // What cannot be read has left the value as it was, so the value alone does not tell.
  const wrong = useMemo(() => {
    const found = new Set([...check(schema, value).map(({ property }) => property?.split(".")[1] ?? ""), ...broken]);
    return Object.keys(schema.properties ?? {}).filter((name) => found.has(name));
  }, [schema, value, broken]);
  useEffect(() => onWrong(wrong), [onWrong, wrong]);
  const form = (
    <Form
      className="rjsf"
      schema={schema}
      formData={value}
      validator={validator}
      liveValidate
      noHtml5Validate
      showErrorList={false}
      tagName="div"
      uiSchema={hints(schema)}
      templates={{ FieldTemplate: Field, ObjectFieldTemplate: Fields }}
      widgets={{ TextWidget: Text, json: Json }}
      fields={{}}
      onChange={({ formData }) => onChange((formData ?? {}) as Record<string, unknown>)}
    >
      <></>
    </Form>
  );
  return <Broken value={mark}>{form}</Broken>;
}

/** Lists and objects are typed as JSON, as `--param` takes them. */
function hints(schema: RJSFSchema): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (typeof property !== "object") continue;
    const type = Array.isArray(property.type) ? property.type[0] : property.type;
    if (type === undefined || type === "array" || type === "object") found[name] = { "ui:field": JsonField };
  }
  return found;
}

function JsonField({ formData, onChange, schema, name, fieldPathId }: { formData?: unknown; onChange: (value: unknown, path: never) => void; schema: RJSFSchema; name: string; fieldPathId: { $id: string; path: unknown } }) {
  return (
    <div className="field">
      <label htmlFor={fieldPathId.$id}>
        {schema.title ?? name} <span className="soft">{String(schema.type ?? "any")}, as JSON</span>
      </label>
      <Json id={fieldPathId.$id} name={name} value={formData} onChange={(value) => onChange(value, fieldPathId.path as never)} />
      {schema.description && <span className="soft small">{schema.description}</span>}
    </div>
  );
}

function Json({ id, name, value, onChange }: Pick<WidgetProps, "id" | "name" | "value" | "onChange">) {
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, null, 1)));
  const [wrong, setWrong] = useState("");
  const mark = useContext(Broken);
  // A field that goes away is no longer in the way.
  useEffect(() => () => mark(name, false), [mark, name]);
  return (
    <>
      <textarea
        id={id}
        className="input mono"
        rows={Math.min(10, Math.max(2, text.split("\n").length))}
        value={text}
        spellCheck={false}
        aria-invalid={wrong !== ""}
        aria-describedby={`${id}__json`}
        onChange={(event) => {
          setText(event.target.value);
          try {
            onChange(event.target.value.trim() === "" ? undefined : (JSON.parse(event.target.value) as unknown));
            setWrong("");
            mark(name, false);
          } catch (error) {
            setWrong(error instanceof Error ? error.message : "no JSON");
            mark(name, true);
          }
        }}
      />
      {wrong && (
        <span className="status tone-red small" id={`${id}__json`}>
          {wrong}
        </span>
      )}
    </>
  );
}

function Text({ id, value, onChange, schema, required, rawErrors, options }: WidgetProps) {
  const numeric = schema.type === "number" || schema.type === "integer";
  return (
    <input
      id={id}
      className="input"
      value={(value as string | number | undefined) ?? ""}
      required={required}
      inputMode={numeric ? "decimal" : undefined}
      aria-invalid={(rawErrors?.length ?? 0) > 0}
      aria-describedby={`${id}__error`}
      onChange={(event) => onChange(event.target.value === "" ? options.emptyValue : event.target.value)}
    />
  );
}

function Field({ id, label, children, rawErrors, rawDescription, schema, required, hidden, displayLabel }: FieldTemplateProps) {
  if (hidden) return <div hidden>{children}</div>;
  const errors = [...new Set(rawErrors ?? [])];
  if (schema.type === "object") return <>{children}</>;
  return (
    <div className="field">
      {displayLabel && (
        <label htmlFor={id}>
          {label}
          {required && <span title="required"> *</span>} <span className="soft">{Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type}</span>
        </label>
      )}
      {children}
      {errors.length > 0 && (
        <span className="status tone-red small" id={`${id}__error`}>
          {errors.join(", ")}
        </span>
      )}
      {displayLabel && rawDescription && <span className="soft small">{rawDescription}</span>}
    </div>
  );
}

function Fields({ properties }: ObjectFieldTemplateProps) {
  return <fieldset>{properties.map((one) => <div key={one.name}>{one.content}</div>)}</fieldset>;
}
