//! Flow collections: `{a: 1, b: [2, 3]}`.

/// Spaces after commas and colons, none inside brackets. What spans lines keeps its lines, indented by depth.
pub(super) fn format(raw: &str, indent: usize) -> String {
    if !raw.contains('\n') {
        return tidy(raw);
    }
    let mut out = String::new();
    let mut depth = 0_usize;
    let mut quote = None;
    for (index, line) in raw.lines().enumerate() {
        let in_quote = quote.is_some();
        let (opened, closed_first) = count(line, &mut quote);
        if index > 0 {
            out.push('\n');
            let level = depth.saturating_sub(closed_first).max(1);
            let closing = closed_first > 0 && depth == closed_first;
            if !line.trim().is_empty() {
                out.push_str(&" ".repeat(if closing {
                    indent + 2
                } else {
                    indent + 2 * (level + 1)
                }));
            }
        }
        // Text in quotes that spans lines is not touched.
        if in_quote || quote.is_some() {
            out.push_str(line.trim_start().trim_end())
        } else {
            out.push_str(&tidy(line.trim()))
        }
        depth = depth.saturating_add_signed(opened);
    }
    out
}

/// How many levels a line opens more than it closes, and how many it closes before anything else.
fn count(line: &str, quote: &mut Option<char>) -> (isize, usize) {
    let (mut opened, mut closed_first, mut leading) = (0, 0, true);
    let mut chars = line.trim().char_indices().peekable();
    let mut previous = ' ';
    while let Some((_, c)) = chars.next() {
        match (*quote, c) {
            (Some('"'), '\\') => drop(chars.next()),
            (Some(open), _) if c == open => *quote = None,
            (Some(_), _) => {}
            (None, '#') if previous.is_whitespace() => break,
            (None, '"' | '\'') if !previous.is_alphanumeric() => *quote = Some(c),
            (None, '{' | '[') => opened += 1,
            (None, '}' | ']') => {
                opened -= 1;
                closed_first += usize::from(leading);
            }
            _ => {}
        }
        leading = leading && matches!(c, '}' | ']');
        previous = c;
    }
    (opened, closed_first)
}

/// One line of a flow collection with canonical spaces.
fn tidy(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('"'), '\\') => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            (Some(open), _) => {
                if c == open {
                    quote = None;
                }
                out.push(c);
                continue;
            }
            (None, '"' | '\'') if begins_scalar(&out) => quote = Some(c),
            (None, '#') if out.ends_with(' ') || out.is_empty() => {
                out.push(c);
                out.extend(chars);
                return out;
            }
            _ => {}
        }
        match c {
            ' ' | '\t' => {
                let next = chars.clone().find(|c| !matches!(c, ' ' | '\t'));
                let drop_it = out.ends_with(['{', '[', ' ']) && !in_scalar(&out)
                    || matches!(next, Some('}' | ']' | ',') | None)
                    || (next == Some(':') && is_colon(chars.clone()));
                if !drop_it {
                    out.push(' ');
                }
            }
            ',' => {
                out.push(',');
                if chars.peek().is_some_and(|next| !next.is_whitespace()) {
                    out.push(' ');
                }
            }
            _ => out.push(c),
        }
    }
    out.trim_end().to_owned()
}

/// Spaces inside plain text are the text's own.
fn in_scalar(out: &str) -> bool {
    let text = out.trim_end_matches(' ');
    !text.ends_with(['{', '[', ',', ':'])
}

fn begins_scalar(out: &str) -> bool {
    matches!(
        out.trim_end_matches(' ').chars().last(),
        None | Some('{' | '[' | ',' | ':')
    ) || out
        .trim_end_matches(' ')
        .rsplit([' ', ',', '{', '['])
        .next()
        .is_some_and(|word| word.starts_with(['!', '&']))
}

/// Whether what follows the spaces is a colon that ends a key.
fn is_colon(rest: impl Iterator<Item = char>) -> bool {
    let mut rest = rest.skip_while(|c| matches!(c, ' ' | '\t')).skip(1);
    rest.next()
        .is_none_or(|c| c.is_whitespace() || matches!(c, ',' | '}' | ']'))
}
