//! dev
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "dev")]
use lightbox_model::*;
use std::path::PathBuf;
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let s: Vec<&str> = a.iter().map(String::as_str).collect();
    let fail = |e: Error| -> ! { eprintln!("{e}"); std::process::exit(1) };
    match s.as_slice() {
        ["models", "template", n] => println!("{}", published::template(n).unwrap().to_toml().unwrap()),
        ["shapes", n] => {
            for (name, shape) in published::template(n).unwrap().architecture.shapes() {
                println!("{name}\t{shape:?}");
            }
        }
        ["models", "add", f, "--card", c] => {
            let card = Card::read_file(&PathBuf::from(c)).unwrap_or_else(|e| fail(e));
            let mut st = Store::open_default();
            match st.add(&[PathBuf::from(f)], card) { Ok(e) => println!("{}", e.id), Err(e) => fail(e) }
        }
        ["infer", id, x, "--raw", "--out", out] => {
            let st = Store::open_default();
            let m = Model::load(st.get(id).unwrap()).unwrap_or_else(|e| fail(e));
            let x = npy::read(&PathBuf::from(x)).unwrap_or_else(|e| fail(e));
            let t = std::time::Instant::now();
            let r = m.raw(&x, &RunCx::silent()).unwrap_or_else(|e| fail(e));
            eprintln!("{:?}", t.elapsed());
            std::fs::create_dir_all(format!("{out}/raw")).unwrap();
            for (k, v) in r { std::fs::write(format!("{out}/raw/{k}.npy"), v).unwrap(); }
        }
        _ => panic!("{s:?}"),
    }
}
