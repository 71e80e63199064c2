//! Finds the kernels of a preprocessed source, and makes C++ of it that any compiler takes.

const EXPORT: &str = r#"extern "C" __attribute__((visibility("default"), used))"#;

/// A kernel as it is declared.
#[derive(Debug, PartialEq, Eq)]
pub struct Declared {
    pub name: String,
    /// The most threads of a block, in C++.
    pub bound: String,
}

/// Every `extern "C" __global__ void NAME(` of a preprocessed source.
///
/// # Panics
/// Where a kernel is declared in another way.
pub fn kernels(preprocessed: &str) -> Vec<Declared> {
    let text: Vec<_> = preprocessed.lines().filter(|line| !line.starts_with('#')).collect();
    let text = text.join("\n");
    let parts: Vec<_> = text.split("__global__").collect();
    parts.windows(2).map(|pair| declared(pair[0], pair[1])).collect()
}

fn declared(before: &str, after: &str) -> Declared {
    let form = "kernels are written as extern \"C\" __global__ void __launch_bounds__(N) NAME(...)";
    assert!(before.trim_end().ends_with("extern \"C\""), "{form}, found: {:.60}", after.trim_start());
    let mut bound = "1024".to_string();
    let mut rest = after.trim_start();
    loop {
        if let Some(arguments) = rest.strip_prefix("__launch_bounds__") {
            let (inner, beyond) = parenthesised(arguments.trim_start());
            bound = first_argument(inner).to_string();
            rest = beyond.trim_start();
        } else if let Some(beyond) = rest.strip_prefix("void") {
            rest = beyond.trim_start();
        } else {
            break;
        }
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    assert!(end > 0 && rest[end..].trim_start().starts_with('('), "{form}, found: {rest:.60}");
    Declared { name: rest[..end].to_string(), bound }
}

/// What is between a leading parenthesis and its end, and what follows.
fn parenthesised(text: &str) -> (&str, &str) {
    assert!(text.starts_with('('), "__launch_bounds__ has arguments, found: {text:.60}");
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[1..at], &text[at + 1..]);
        }
    }
    panic!("__launch_bounds__ ends, found: {text:.60}");
}

fn first_argument(arguments: &str) -> &str {
    let mut depth = 0;
    for (at, c) in arguments.char_indices() {
        match c {
            '(' | '<' => depth += 1,
            ')' | '>' => depth -= 1,
            ',' if depth == 0 => return &arguments[..at],
            _ => {}
        }
    }
    arguments
}

/// The source without the words that only CUDA knows, and functions to call its kernels from outside.
pub fn hosted(preprocessed: &str, kernels: &[Declared]) -> String {
    let mut out = String::new();
    let mut rest = preprocessed;
    while let Some(at) = rest.find("__launch_bounds__") {
        out.push_str(&rest[..at]);
        rest = parenthesised(rest[at + "__launch_bounds__".len()..].trim_start()).1;
    }
    out.push_str(rest);
    let mut out = out.replace("__global__", "");
    for Declared { name, bound } in kernels {
        out.push_str(&format!(
            "\n{EXPORT} const char* emu_run_{name}(emu::Machine* machine, const unsigned* blocks, unsigned threads, \
             void** arguments) {{ return emu::run(machine, blocks, threads, arguments, {name}); }}\n\
             {EXPORT} const char* emu_parameters_{name}() {{ return emu::parameters({name}); }}\n\
             {EXPORT} unsigned emu_bound_{name}() {{ return {bound}; }}\n"
        ));
    }
    out
}
