//! The catalogue of errors. A code is stable: scripts and documentation may name it.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $code;)+

        /// Every code with one sentence on it.
        pub const ALL: &[(&str, &str)] = &[$(($code, concat!($($doc),+))),+];
    };
}

codes! {
    /// The file cannot be read.
    UNREADABLE = "spec.unreadable";
    /// The file is longer than 1 MiB.
    FILE_TOO_LARGE = "spec.file_too_large";
    /// The file is not UTF-8.
    NOT_UTF8 = "spec.not_utf8";
    /// The file holds nothing.
    EMPTY_FILE = "spec.empty_file";
    /// The text is not YAML.
    SYNTAX = "spec.syntax";
    /// Collections are nested deeper than 64 levels.
    TOO_DEEP = "spec.too_deep";
    /// The file holds too many values, or aliases that grow too large.
    TOO_MANY_NODES = "spec.too_many_nodes";
    /// An alias that stands inside its own anchor.
    RECURSIVE_ALIAS = "spec.recursive_alias";
    /// The same key twice in one mapping.
    DUPLICATE_KEY = "spec.duplicate_key";
    /// A merge key `<<`.
    MERGE_KEY = "spec.merge_key";
    /// A key that is not text.
    COMPLEX_KEY = "spec.complex_key";
    /// A YAML tag that has no meaning here.
    UNKNOWN_TAG = "spec.unknown_tag";
    /// More than one YAML document in a file.
    SEVERAL_DOCUMENTS = "spec.several_documents";
    /// A number that cannot be represented.
    NUMBER = "spec.number";
    /// A value of another type than expected.
    TYPE = "spec.type";
    /// A key that is not known here.
    UNKNOWN_KEY = "spec.unknown_key";
    /// A key that must be there is not.
    MISSING_KEY = "spec.missing_key";
    /// A value that is none of those allowed.
    UNKNOWN_VALUE = "spec.unknown_value";
    /// A value outside its bounds.
    OUT_OF_RANGE = "spec.out_of_range";
    /// Keys that exclude each other.
    CONFLICTING_KEYS = "spec.conflicting_keys";
    /// A name of a form that is not allowed.
    NAME = "spec.name";
    /// A duration that cannot be read.
    DURATION = "spec.duration";
    /// A size in bytes that cannot be read.
    SIZE = "spec.size";
    /// A time that cannot be read.
    TIMESTAMP = "spec.timestamp";
    /// A cron expression that cannot be read.
    CRON = "spec.cron";
    /// A time zone that is not known.
    TIMEZONE = "spec.timezone";
    /// A secret written out where a `secret:NAME` reference is needed.
    SECRET = "spec.secret";
    /// An `apiVersion` that this Twinloom does not read.
    API_VERSION = "spec.api_version";
    /// A kind of file other than expected.
    KIND = "spec.kind";
    /// A parameter's declaration that contradicts itself.
    PARAM_DECLARATION = "spec.param_declaration";
    /// A parameter that is not declared.
    UNKNOWN_PARAM = "spec.unknown_param";
    /// A required parameter without a value.
    MISSING_PARAM = "spec.missing_param";
    /// A parameter's value that does not fit its declaration.
    PARAM_VALUE = "spec.param_value";
    /// An operator that does not exist.
    UNKNOWN_OPERATOR = "spec.unknown_operator";
    /// A pipeline that does not exist.
    UNKNOWN_PIPELINE = "spec.unknown_pipeline";
    /// Two pipelines of the same name.
    DUPLICATE_PIPELINE = "spec.duplicate_pipeline";
    /// Two DAG files with the same name.
    DUPLICATE_DAG = "spec.duplicate_dag";
    /// Pipelines that use each other in a circle, or too deeply.
    PIPELINE_CYCLE = "spec.pipeline_cycle";
    /// An input or output that the operator or pipeline does not have.
    UNKNOWN_PORT = "spec.unknown_port";
    /// An input that must be connected is not.
    MISSING_INPUT = "spec.missing_input";
    /// A reference of a form that is not allowed.
    REFERENCE = "spec.reference";
    /// A reference to a step that does not exist.
    UNKNOWN_STEP = "spec.unknown_step";
    /// A dataset where a model is needed, or the other way round.
    PORT_KIND = "spec.port_kind";
    /// A column that is needed is missing or has another type.
    COLUMNS = "spec.columns";
    /// Several artifacts for an input that takes one.
    TOO_MANY_INPUTS = "spec.too_many_inputs";
    /// Two outputs that publish the same name.
    DUPLICATE_OUTPUT = "spec.duplicate_output";
    /// Steps that wait for each other.
    CYCLE = "spec.cycle";
    /// Configuration that does not fit the operator's schema.
    CONFIG = "spec.config";
    /// An expression that cannot be read.
    EXPRESSION = "spec.expression";
    /// An expression that fails when it is evaluated.
    EXPRESSION_VALUE = "spec.expression_value";
    /// An expression over something that is not known there.
    EXPRESSION_SCOPE = "spec.expression_scope";
    /// A matrix or `for_each` that gives no variants, doubled ones or too many.
    VARIANTS = "spec.variants";
    /// A plan that would be too large.
    PLAN_TOO_LARGE = "spec.plan_too_large";
    /// The formatter could not keep the meaning of the file.
    FORMAT = "spec.format";
}
