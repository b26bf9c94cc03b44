//! What is true of one operating system only: how libraries are called, which ones may be needed.
//!
//! Both systems are compiled everywhere, since a file for the one can be inspected on the other. Loading on macOS
//! was never run.

pub mod linux;
pub mod macos;

/// How object files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Linux.
    Elf,
    /// macOS.
    MachO,
}

/// Processors the host runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
}

/// What a library must be built for. All targets are 64 bits wide and little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// How object files are written.
    pub format: Format,
    /// Processor.
    pub machine: Machine,
}

impl Target {
    /// The target this host was built for.
    pub const HOST: Self = Self {
        format: if cfg!(target_os = "macos") { Format::MachO } else { Format::Elf },
        machine: if cfg!(target_arch = "aarch64") {
            Machine::Aarch64
        } else {
            Machine::X86_64
        },
    };

    /// How names of libraries end, with the dot.
    #[must_use]
    pub const fn library_suffix(self) -> &'static str {
        match self.format {
            Format::Elf => linux::LIBRARY_SUFFIX,
            Format::MachO => macos::LIBRARY_SUFFIX,
        }
    }

    /// Libraries of the system that a module may need.
    #[must_use]
    pub const fn system_libraries(self) -> &'static [&'static str] {
        match self.format {
            Format::Elf => linux::SYSTEM_LIBRARIES,
            Format::MachO => macos::SYSTEM_LIBRARIES,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let format = match self.format {
            Format::Elf => "ELF",
            Format::MachO => "Mach-O",
        };
        let machine = match self.machine {
            Machine::X86_64 => "x86-64",
            Machine::Aarch64 => "aarch64",
        };
        write!(f, "{format} {machine}")
    }
}

/// How a folder is opened that is only passed through: without the right to list it, where the system has that.
#[must_use]
pub const fn pass_through() -> rustix::fs::OFlags {
    #[cfg(target_os = "linux")]
    {
        rustix::fs::OFlags::PATH
    }
    #[cfg(not(target_os = "linux"))]
    {
        rustix::fs::OFlags::RDONLY
    }
}
