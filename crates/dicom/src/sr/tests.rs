use std::process::Command;

use super::*;
use crate::seg::SegReference;

/// A series of the phantom in a folder.
fn reference(folder: &std::path::Path) -> SegReference {
    crate::synthetic::write_ct_series(folder, 3, 16).expect("a series is written");
    let index = crate::scan(&[folder.to_path_buf()], &mut |_| std::ops::ControlFlow::Continue(()));
    let series = &index.studies[0].series[0];
    SegReference::from_stack(&series.stacks[0]).expect("a stack of DICOM images")
}

/// Runs a checker where it is installed. `dciodvfy` ends with 0 whatever it finds, so its words are looked at.
fn errors_of(path: &std::path::Path) -> Option<Vec<String>> {
    let Ok(out) = Command::new("dciodvfy").arg(path).output() else {
        assert!(std::env::var_os("CI").is_none(), "dciodvfy is not installed");
        println!("skipped: dciodvfy is not installed (Debian: dicom3tools)");
        return None;
    };
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    Some(text.lines().filter(|line| line.starts_with("Error")).map(str::to_owned).collect())
}

fn frame() -> SrFrame {
    SrFrame {
        title: "CT of the chest".into(),
        reader: "ROE^ADA".into(),
        signed: true,
        signed_at: "20261125104100".into(),
        organization: "Test hospital".into(),
    }
}

#[test]
fn all_three_objects_pass_the_checker_and_dsrdump_reads_the_tree() {
    let folder = tempfile::tempdir().expect("a folder");
    let study = reference(&folder.path().join("study"));
    let [text, numbers, pdf] = ["text.dcm", "numbers.dcm", "pdf.dcm"].map(|name| folder.path().join(name));
    let parts = [
        SrPart { heading: "Findings".into(), paragraphs: vec!["Nodule in the right lower lobe, 8.4 mm. é".into()] },
        SrPart { heading: "Impression".into(), paragraphs: vec!["Nodule.".into()] },
    ];
    write_text(&text, &study, &frame(), &parts).expect("written");
    let finding = SrFinding {
        tracking_id: "f1".into(),
        term: "pulmonary nodule".into(),
        site: "right lower lobe".into(),
        side: "right".into(),
        size_mm: vec![8.4, 6.1],
        volume_ml: Some(0.21),
        mean_hu: Some(-12.0),
        model: Some(("ct-lung-nodule".into(), "ab12".into())),
    };
    write_measurements(&numbers, &study, &SrFrame { signed: false, ..frame() }, &[finding]).expect("written");
    write_pdf(&pdf, &study, &frame(), b"%PDF-1.7\n%%EOF").expect("written");
    for path in [&text, &numbers, &pdf] {
        if let Some(errors) = errors_of(path) {
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        }
    }
    for (path, words) in [(&text, "Nodule in the right lower lobe"), (&numbers, "8.4")] {
        let Ok(out) = Command::new("dsrdump").arg("+Pl").arg(path).output() else {
            assert!(std::env::var_os("CI").is_none(), "dsrdump is not installed");
            println!("skipped: dsrdump is not installed (Debian: dcmtk)");
            continue;
        };
        let dump = String::from_utf8_lossy(&out.stdout).into_owned();
        // The text is signed: when it was said to be, not when it was written.
        let signed = dump.contains("Verifying Observers : 2026-11-25 10:41:00 +00:00, ROE^ADA");
        assert_eq!(signed, words.starts_with("Nodule"), "{dump}");
        assert!(out.status.success() && dump.contains(words), "{dump}\n{}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn nothing_and_no_pdf_are_refused_and_leave_the_old_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let study = reference(&folder.path().join("study"));
    let path = folder.path().join("a.dcm");
    std::fs::write(&path, b"old").expect("written");
    assert!(matches!(write_text(&path, &study, &frame(), &[]), Err(SrError::Nothing)));
    assert!(matches!(write_measurements(&path, &study, &frame(), &[]), Err(SrError::Nothing)));
    assert!(matches!(write_pdf(&path, &study, &frame(), b"hello"), Err(SrError::NoPdf)));
    assert_eq!(std::fs::read(&path).expect("there"), b"old");
}
