//! Mach-O, as macOS has it. It is inspected on any system; loading it was never run.

use object::macho;
use object::read::macho::{LoadCommandVariant, MachHeader, MachOFile64, Section, Segment};
use object::{Endianness, Object, ObjectSymbol};

use super::{Image, ROOT_PREFIX, check_range, malformed, truncated};
use crate::domain::finding::Finding;
use crate::domain::finding::kind;
use crate::modules::os::Machine;

type Header = macho::MachHeader64<Endianness>;

/// Reads a thin Mach-O file of 64 bits.
pub(super) fn read(data: &[u8], machine: Machine) -> Result<Image<'_>, Finding> {
    if data.len() < size_of::<Header>() {
        return Err(truncated("the Mach-O header", size_of::<Header>() as u64, data.len()));
    }
    let header = Header::parse(data, 0).map_err(malformed)?;
    let endian = header.endian().map_err(malformed)?;
    check_header(header, endian, machine)?;
    check_range(
        "the load commands",
        size_of::<Header>() as u64,
        header.sizeofcmds(endian).into(),
        data,
    )?;
    let stack = header.flags(endian).contains(macho::MH_ALLOW_STACK_EXECUTION);
    let mut image = Image {
        manifests: Vec::new(),
        roots: Vec::new(),
        needed: Vec::new(),
        run_paths: Vec::new(),
        executable_stack: stack.then_some("MH_ALLOW_STACK_EXECUTION is set"),
        writable_code: Vec::new(),
        build_id: None,
    };
    read_commands(header, endian, data, &mut image)?;
    read_exports(data, &mut image)?;
    Ok(image)
}

fn check_header(header: &Header, endian: Endianness, machine: Machine) -> Result<(), Finding> {
    if endian != Endianness::Little {
        return Err(Finding::new(
            &kind::WRONG_CLASS,
            "found a big-endian library, expected a little-endian one",
        ));
    }
    let expected = match machine {
        Machine::X86_64 => macho::CPU_TYPE_X86_64,
        Machine::Aarch64 => macho::CPU_TYPE_ARM64,
    };
    let found = header.cputype(endian);
    if found != expected {
        return Err(Finding::new(
            &kind::WRONG_MACHINE,
            format!("found Mach-O processor {:#x}, expected {:#x}", found.0, expected.0),
        ));
    }
    let found = header.filetype(endian);
    if found != macho::MH_DYLIB && found != macho::MH_BUNDLE {
        return Err(Finding::new(
            &kind::NOT_SHARED,
            format!("found Mach-O type {}, expected 6, a dylib", found.0),
        ));
    }
    Ok(())
}

fn read_commands<'a>(header: &Header, endian: Endianness, data: &'a [u8], image: &mut Image<'a>) -> Result<(), Finding> {
    let mut commands = header.load_commands(endian, data, 0).map_err(malformed)?;
    let mut segments = 0_usize;
    while let Some(command) = commands.next().map_err(malformed)? {
        let text = |offset| {
            command
                .string(endian, offset)
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .map_err(malformed)
        };
        match command.variant().map_err(malformed)? {
            LoadCommandVariant::Segment64(segment, rest) => {
                read_segment(segments, segment, rest, endian, data, image)?;
                segments += 1;
            }
            LoadCommandVariant::Dylib(dylib) => image.needed.push(text(dylib.dylib.name)?),
            LoadCommandVariant::Rpath(path) => image.run_paths.push(("LC_RPATH", text(path.path)?)),
            LoadCommandVariant::DyldEnvironment(variable) => image.run_paths.push(("LC_DYLD_ENVIRONMENT", text(variable.name)?)),
            LoadCommandVariant::Uuid(uuid) => image.build_id = Some(uuid.uuid.to_vec()),
            LoadCommandVariant::Symtab(table) => {
                check_range(
                    "the symbol table",
                    table.symoff.get(endian).into(),
                    u64::from(table.nsyms.get(endian)) * 16,
                    data,
                )?;
                check_range(
                    "the string table",
                    table.stroff.get(endian).into(),
                    table.strsize.get(endian).into(),
                    data,
                )?;
            }
            _ => {}
        }
    }
    if segments == 0 {
        Err(malformed("it has no segment to load"))
    } else {
        Ok(())
    }
}

fn read_segment<'a>(
    index: usize,
    segment: &macho::SegmentCommand64<Endianness>,
    rest: &'a [u8],
    endian: Endianness,
    data: &'a [u8],
    image: &mut Image<'a>,
) -> Result<(), Finding> {
    check_range(&format!("segment {index}"), segment.fileoff(endian), segment.filesize(endian), data)?;
    if segment.filesize(endian) > segment.vmsize(endian) {
        return Err(malformed(format!("segment {index} is larger in the file than in memory")));
    }
    let protection = segment.initprot.get(endian);
    if protection.contains(macho::VM_PROT_WRITE) && protection.contains(macho::VM_PROT_EXECUTE) {
        image.writable_code.push(index);
    }
    for section in segment.sections(endian, rest).map_err(malformed)? {
        let is_manifest = Section::name(section) == wharf_manifest::SECTION_MACHO.as_bytes()
            && Section::segment_name(section) == wharf_manifest::SEGMENT_MACHO.as_bytes();
        if is_manifest {
            check_range("the manifest section", section.offset(endian).into(), section.size(endian), data)?;
            let content = section.data(endian, data, section.offset(endian).into()).map_err(malformed)?;
            image.manifests.push(content);
        }
    }
    Ok(())
}

/// Names as the source has them: Mach-O puts an underscore before each.
fn read_exports(data: &[u8], image: &mut Image<'_>) -> Result<(), Finding> {
    let file = MachOFile64::<Endianness>::parse(data).map_err(malformed)?;
    for symbol in file.symbols().filter(|symbol| symbol.is_definition() && symbol.is_global()) {
        let name = symbol.name_bytes().map_err(malformed)?;
        if let Some(name) = name.strip_prefix(b"_")
            && name.starts_with(ROOT_PREFIX.as_bytes())
        {
            image.roots.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(())
}
