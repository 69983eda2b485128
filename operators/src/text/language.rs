//! Languages: of prose by its trigrams, of code by its file's name.

use whatlang::Detector;

/// How much prose is looked at, in bytes: more costs time and changes nothing.
const SAMPLE: usize = 512;

/// Letters that are too few to tell.
const SHORTEST: usize = 24;

/// The ISO 639-3 code of prose, where its start tells it reliably.
#[must_use]
pub fn of_prose(text: &str) -> Option<&'static str> {
    let sample = sample(text);
    if sample.len() < SHORTEST {
        return None;
    }
    if let Some(language) = by_common_words(sample) {
        return Some(language);
    }
    let found = Detector::new().detect(sample)?;
    (found.is_reliable() || found.confidence() > 0.5).then(|| found.lang().code())
}

/// Words that are frequent in one of these languages and hardly there in the others.
const COMMON: [(&str, &[&str]); 4] = [
    (
        "eng",
        &[
            "the", "and", "of", "to", "is", "that", "it", "for", "with", "you", "this", "are", "was", "have",
            "not", "be", "we", "your", "how", "or", "can", "will", "from", "by", "they", "what", "our",
        ],
    ),
    (
        "deu",
        &[
            "der", "und", "das", "nicht", "ist", "ein", "eine", "mit", "auf", "ich", "zu", "den", "sich",
            "auch", "dem", "wir",
        ],
    ),
    (
        "fra",
        &[
            "le", "les", "et", "des", "est", "une", "du", "pas", "pour", "dans", "qui", "sur", "nous",
            "vous", "ce",
        ],
    ),
    (
        "spa",
        &[
            "el", "los", "y", "las", "una", "por", "con", "para", "como", "pero", "es", "su", "lo", "más",
        ],
    ),
];

/// The language that a sample has many common words of, and no other language more than a few. Trigrams of all
/// languages cost far more than cleaning the document; this settles most documents without them.
fn by_common_words(sample: &str) -> Option<&'static str> {
    let mut hits = [0_usize; COMMON.len()];
    let mut words = 0_usize;
    for word in sample
        .split(|letter: char| !letter.is_alphabetic())
        .filter(|word| !word.is_empty())
    {
        words += 1;
        if word.len() > 5 {
            continue;
        }
        for (hits, (_, common)) in hits.iter_mut().zip(&COMMON) {
            *hits += usize::from(common.iter().any(|known| word.eq_ignore_ascii_case(known)));
        }
    }
    let (best, count) = hits.iter().copied().enumerate().max_by_key(|(_, count)| *count)?;
    let others = hits.iter().sum::<usize>() - count;
    // A sixth of the words: ordinary prose has a third.
    (count >= 6 && count * 6 >= words && count >= others * 4).then_some(COMMON[best].0)
}

/// A stretch from the middle of the text: the start is often a title, names or links.
fn sample(text: &str) -> &str {
    if text.len() <= SAMPLE {
        return text;
    }
    let mut from = (text.len() / 2).min(text.len() - SAMPLE);
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = from + SAMPLE;
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    &text[from..to]
}

/// The programming language of a file, by its name.
#[must_use]
pub fn of_file(path: &str) -> Option<&'static str> {
    let name = path.rsplit(['/', '\\']).next()?;
    let by_name =
        |(known, language): &(&str, &'static str)| name.eq_ignore_ascii_case(known).then_some(*language);
    if let Some(language) = NAMES.iter().find_map(by_name) {
        return Some(language);
    }
    let extension = name.rsplit_once('.')?.1;
    let by_extension =
        |(known, language): &(&str, &'static str)| extension.eq_ignore_ascii_case(known).then_some(*language);
    EXTENSIONS.iter().find_map(by_extension)
}

const NAMES: [(&str, &str); 8] = [
    ("Makefile", "make"),
    ("justfile", "just"),
    ("Dockerfile", "dockerfile"),
    ("Containerfile", "dockerfile"),
    ("CMakeLists.txt", "cmake"),
    ("Rakefile", "ruby"),
    ("Gemfile", "ruby"),
    ("Jenkinsfile", "groovy"),
];

const EXTENSIONS: [(&str, &str); 78] = [
    ("rs", "rust"),
    ("py", "python"),
    ("pyi", "python"),
    ("js", "javascript"),
    ("mjs", "javascript"),
    ("cjs", "javascript"),
    ("jsx", "javascript"),
    ("ts", "typescript"),
    ("mts", "typescript"),
    ("tsx", "typescript"),
    ("go", "go"),
    ("c", "c"),
    ("h", "c"),
    ("cc", "cpp"),
    ("cpp", "cpp"),
    ("cxx", "cpp"),
    ("hpp", "cpp"),
    ("hh", "cpp"),
    ("cu", "cuda"),
    ("java", "java"),
    ("kt", "kotlin"),
    ("kts", "kotlin"),
    ("scala", "scala"),
    ("swift", "swift"),
    ("rb", "ruby"),
    ("php", "php"),
    ("pl", "perl"),
    ("pm", "perl"),
    ("lua", "lua"),
    ("r", "r"),
    ("jl", "julia"),
    ("cs", "csharp"),
    ("fs", "fsharp"),
    ("vb", "vb"),
    ("hs", "haskell"),
    ("ml", "ocaml"),
    ("mli", "ocaml"),
    ("ex", "elixir"),
    ("exs", "elixir"),
    ("erl", "erlang"),
    ("clj", "clojure"),
    ("el", "elisp"),
    ("lisp", "lisp"),
    ("scm", "scheme"),
    ("dart", "dart"),
    ("zig", "zig"),
    ("nim", "nim"),
    ("sh", "shell"),
    ("bash", "shell"),
    ("zsh", "shell"),
    ("fish", "shell"),
    ("ps1", "powershell"),
    ("bat", "batch"),
    ("sql", "sql"),
    ("css", "css"),
    ("scss", "scss"),
    ("less", "less"),
    ("vue", "vue"),
    ("svelte", "svelte"),
    ("yaml", "yaml"),
    ("yml", "yaml"),
    ("toml", "toml"),
    ("json", "json"),
    ("ini", "ini"),
    ("cfg", "ini"),
    ("xml", "xml"),
    ("proto", "protobuf"),
    ("graphql", "graphql"),
    ("tf", "hcl"),
    ("hcl", "hcl"),
    ("nix", "nix"),
    ("cmake", "cmake"),
    ("mk", "make"),
    ("gradle", "groovy"),
    ("groovy", "groovy"),
    ("tex", "latex"),
    ("ipynb", "jupyter"),
    ("vim", "vim"),
];
