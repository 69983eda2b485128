//! Declarations of what a file may hold.

/// A mapping of the YAML with the keys that it may hold.
macro_rules! spec_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident: $what:literal {
            $($(#[$field_meta:meta])* $key:literal => $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* #[schemars(rename = $key)] pub $field: $type,)*
        }

        impl $name {
            /// The keys that the YAML may hold here.
            pub const KEYS: &'static [&'static str] = &[$($key),*];
        }

        impl $crate::read::FromNode for $name {
            const EXPECTED: &'static str = $what;

            fn from_node(node: &$crate::yaml::Node, reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                let pairs = reader.mapping(node, Self::KEYS, $what)?;
                let place = $crate::read::Place { span: node.span, what: $what };
                $(let $field = <$type as $crate::read::Field>::field(pairs, $key, place, reader);)*
                Some(Self { $($field: $field?,)* })
            }
        }
    };
}

/// Words of which one must be chosen.
macro_rules! choices {
    ($name:ty: $what:literal { $($word:literal => $variant:ident,)+ } $(else $fallback:expr)?) => {
        impl $crate::read::FromNode for $name {
            const EXPECTED: &'static str = $what;

            fn from_node(node: &$crate::yaml::Node, reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                const WORDS: &[&str] = &[$($word),+];
                match node.as_str() {
                    $(Some($word) => Some(Self::$variant),)+
                    Some(other) => {
                        let message = format!("`{other}` is not {}: expected one of {}", $what, WORDS.join(", "));
                        let hint = $crate::read::did_you_mean(other, WORDS.iter().copied());
                        reader.error(node.span, $crate::diagnostic::codes::UNKNOWN_VALUE, message).hint = hint;
                        None
                    }
                    None => {
                        reader.type_error(node, &format!("{} ({})", $what, WORDS.join(", ")));
                        None
                    }
                }
            }

            $(fn fallback() -> Option<Self> {
                Some($fallback)
            })?
        }
    };
}

/// A value written as text that a function reads; the schema gives a pattern or format for editors.
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident($inner:ty): $what:literal, $parse:path, $schema:tt) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(pub $inner);

        impl $crate::read::FromNode for $name {
            const EXPECTED: &'static str = $what;

            fn from_node(node: &$crate::yaml::Node, reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                let Some(text) = node.as_str() else {
                    reader.type_error(node, $what);
                    return None;
                };
                match $parse(text) {
                    Ok(value) => Some(Self(value)),
                    Err(wrong) => {
                        let $crate::model::scalars::Wrong { code, message, hint } = wrong;
                        reader.error(node.span, code, message).hint = hint;
                        None
                    }
                }
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

pub(crate) use {choices, spec_struct, text_type};
