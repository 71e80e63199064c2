//! Compiled kernels, by name.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::Library;
use umbra_train::cuda::driver::{Arg, Grid};

use super::compile::{self, Compiled};

type Run = unsafe extern "C" fn(*mut c_void, *const u32, u32, *mut *mut c_void) -> *const c_char;
type NewMachine = unsafe extern "C" fn(bool) -> *mut c_void;
type DeleteMachine = unsafe extern "C" fn(*mut c_void);

/// A kernel in a loaded library, which stays loaded.
pub struct Kernel {
    name: String,
    run: Run,
    parameters: Vec<Parameter>,
    bound: u32,
}

/// What a kernel takes, or an argument is: a letter of cuda_cpu.h, and how many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parameter {
    letter: char,
    bytes: usize,
}

/// Arguments as a kernel takes them: each begins a word of its own.
#[derive(Default)]
pub struct Values {
    words: Vec<u64>,
    starts: Vec<usize>,
}

/// All kernels of some sources.
pub struct Kernels {
    by_name: HashMap<String, Kernel>,
    new_machine: NewMachine,
    delete_machine: DeleteMachine,
}

/// What runs grids: stacks and the state of threads. For one thread.
pub struct Machine {
    at: *mut c_void,
    delete: DeleteMachine,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: made by emu_machine_new, and deleted once.
        unsafe { (self.delete)(self.at) }
    }
}

impl Kernels {
    /// The kernels of this crate, compiled once.
    pub fn of_crate() -> &'static Self {
        static ALL: OnceLock<Kernels> = OnceLock::new();
        ALL.get_or_init(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
            let files = std::fs::read_dir(&folder).expect("the crate has kernels");
            let files = files.map(|file| file.expect("a folder can be read").path());
            let mut sources: Vec<_> =
                files.filter(|file| file.extension().is_some_and(|ending| ending == "cu")).collect();
            sources.sort();
            Self::compile(&sources)
        })
    }

    /// The kernels of some sources, two of which compile at a time.
    ///
    /// # Panics
    /// With the compiler's own words, and for two kernels of one name.
    pub fn compile(sources: &[PathBuf]) -> Self {
        let (even, odd): (Vec<_>, Vec<_>) = sources.iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let all = |some: Vec<(usize, &PathBuf)>| -> Vec<Compiled> {
            some.into_iter().map(|(_, source)| compile::compile(source)).collect()
        };
        let compiled = std::thread::scope(|scope| {
            let other = scope.spawn(move || all(odd));
            let mut mine = all(even);
            match other.join() {
                Ok(others) => mine.extend(others),
                Err(panic) => std::panic::resume_unwind(panic),
            }
            mine
        });
        Self::load(&compiled)
    }

    fn load(compiled: &[Compiled]) -> Self {
        let mut by_name = HashMap::new();
        let mut machines = None;
        for Compiled { library, kernels } in compiled {
            // SAFETY: the library was made by `compile`, and loading it runs no code of its own but that of C++'s
            // runtime. It is never unloaded, so that its functions stay.
            let library: &'static Library = unsafe {
                Box::leak(Box::new(Library::new(library).expect("what was compiled can be loaded")))
            };
            // SAFETY: the types are those of cuda_cpu.h.
            machines = Some(unsafe {
                let new = library.get::<NewMachine>("emu_machine_new").expect("cuda_cpu.h has it");
                let delete = library.get::<DeleteMachine>("emu_machine_delete").expect("cuda_cpu.h has it");
                (*new, *delete)
            });
            for declared in kernels {
                let kernel = Kernel::load(library, &declared.name);
                let twin = by_name.insert(declared.name.clone(), kernel);
                assert!(twin.is_none(), "two kernels are called {}", declared.name);
            }
        }
        let (new_machine, delete_machine) = machines.expect("there is a source");
        Self { by_name, new_machine, delete_machine }
    }

    /// # Panics
    /// Where there is none.
    pub fn find(&'static self, name: &str) -> &'static Kernel {
        self.by_name.get(name).unwrap_or_else(|| panic!("no kernel is called {name}"))
    }

    pub fn machine(&self, reversed: bool) -> Machine {
        // SAFETY: see cuda_cpu.h; every library has the same machine.
        Machine { at: unsafe { (self.new_machine)(reversed) }, delete: self.delete_machine }
    }
}

impl Kernel {
    fn load(library: &'static Library, name: &str) -> Self {
        // SAFETY: the types are those that source::hosted writes; both functions give constants.
        unsafe {
            let run = library.get::<Run>(format!("emu_run_{name}")).expect("every kernel has it");
            let parameters = library
                .get::<unsafe extern "C" fn() -> *const c_char>(format!("emu_parameters_{name}"))
                .expect("every kernel has it");
            let bound = library
                .get::<unsafe extern "C" fn() -> u32>(format!("emu_bound_{name}"))
                .expect("every kernel has it");
            let parameters = CStr::from_ptr(parameters()).to_str().expect("cuda_cpu.h writes ASCII");
            let parameters = parameters.split_whitespace().map(Parameter::parse).collect();
            Self { name: name.to_string(), run: *run, parameters, bound: bound() }
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Panics where a device would not launch this, or would read other arguments than were meant.
    pub fn accepts<Memory>(&self, grid: Grid, args: &[Arg<'_, Memory>]) {
        let name = &self.name;
        let [x, y, z] = grid.blocks;
        assert!(
            (1..=i32::MAX as u32).contains(&x) && (1..=65_535).contains(&y) && (1..=65_535).contains(&z),
            "kernel {name}: {x} x {y} x {z} blocks"
        );
        assert!(
            (1..=self.bound).contains(&grid.threads),
            "kernel {name}: {} threads a block, where at most {} are allowed",
            grid.threads,
            self.bound
        );
        assert_eq!(args.len(), self.parameters.len(), "kernel {name}: arguments given, and taken");
        for (at, (arg, takes)) in args.iter().zip(&self.parameters).enumerate() {
            let gives = Parameter::of(arg);
            assert!(
                gives == *takes,
                "kernel {name}: argument {at} is {gives}, where the kernel takes {takes}"
            );
        }
    }

    /// Runs the grid, each value the bytes of one argument that [`Kernel::accepts`].
    ///
    /// # Panics
    /// With what the machine found, such as a divergent barrier.
    pub fn run(&self, machine: &Machine, grid: Grid, values: &mut Values) {
        let mut pointers: Vec<*mut c_void> = Vec::with_capacity(values.starts.len());
        for start in &values.starts {
            // On a host whose first byte is the least, a number of 4 bytes begins where one of 8 does.
            pointers.push(std::ptr::from_mut(&mut values.words[*start]).cast());
        }
        // SAFETY: the arguments are as many and of the kinds that the kernel takes, and addresses are of memory that
        // the launch keeps. A kernel that goes beyond it is what the guards and sanitizers are for.
        let failure =
            unsafe { (self.run)(machine.at, grid.blocks.as_ptr(), grid.threads, pointers.as_mut_ptr()) };
        if !failure.is_null() {
            // SAFETY: the machine's sentence ends with a zero, and stays until the next launch.
            let failure = unsafe { CStr::from_ptr(failure) };
            panic!("kernel {}: {}", self.name, failure.to_string_lossy());
        }
    }
}

impl Parameter {
    fn parse(text: &str) -> Self {
        let (letter, bytes) = text.split_at(1);
        Self { letter: letter.chars().next().unwrap(), bytes: bytes.parse().unwrap() }
    }

    fn of<Memory>(arg: &Arg<'_, Memory>) -> Self {
        let (letter, bytes) = match arg {
            Arg::Address(..) | Arg::Null => ('p', 8),
            Arg::U32(_) => ('u', 4),
            Arg::U64(_) => ('U', 8),
            Arg::F32(_) => ('f', 4),
            Arg::Words(words) => ('w', 4 * words.len()),
        };
        Self { letter, bytes }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes;
        match self.letter {
            'p' => write!(f, "an address"),
            'u' | 'U' => write!(f, "an integer of {bytes} bytes"),
            'f' => write!(f, "a float"),
            'w' => write!(f, "a structure of {bytes} bytes"),
            _ => write!(f, "something that no argument can be"),
        }
    }
}

impl Values {
    pub fn push(&mut self, words: &[u64]) {
        self.starts.push(self.words.len());
        self.words.extend(words);
    }

    /// Numbers of 4 bytes, one after another, as a structure has them.
    pub fn push_halves(&mut self, halves: &[u32]) {
        self.starts.push(self.words.len());
        self.words.extend(halves.chunks(2).map(|pair| {
            let high = pair.get(1).copied().unwrap_or_default();
            u64::from(pair[0]) | u64::from(high) << 32
        }));
    }
}
