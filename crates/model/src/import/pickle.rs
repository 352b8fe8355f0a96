//! Pickles, interpreted and never executed.
//!
//! A pickle is a program for a small stack machine. Here it can build lists, dictionaries, numbers, texts and
//! tensors that are views into storages; a class becomes an inert [`Value::Node`], and whatever would call anything
//! else ends in an error that names it. All sizes are checked against the bytes that are there.

use std::collections::HashMap;
use std::rc::Rc;

/// Why a pickle is not read, as the middle of a sentence.
pub(crate) type Fault = String;

/// A view into a storage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    /// The storage's key in the archive.
    pub(crate) storage: String,
    /// The storage's type, as in `FloatStorage`.
    pub(crate) kind: String,
    /// First element.
    pub(crate) offset: usize,
    /// Shape.
    pub(crate) size: Vec<usize>,
    /// Step per axis, in elements.
    pub(crate) stride: Vec<usize>,
}

/// What a pickle can hold.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    None,
    Bool,
    Int(i64),
    Float,
    Text(Rc<str>),
    Tuple(Id),
    List(Id),
    /// Keys and values in turn.
    Dict(Id),
    /// `module.name`, not looked up anywhere.
    Global(Rc<str>),
    Storage(Rc<Storage>),
    Tensor(Rc<View>),
    /// An object of a class that nobody builds: its state only.
    Node(Id),
}

/// Place of a compound value in the [`Heap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(usize);

/// All compound values of a pickle. They refer to each other by number, so that one nested a million deep, or
/// holding itself, is freed like any other.
#[derive(Debug, Default)]
pub(crate) struct Heap(Vec<Vec<Value>>);

impl Heap {
    fn put(&mut self, items: Vec<Value>) -> Id {
        self.0.push(items);
        Id(self.0.len() - 1)
    }

    fn get(&self, id: Id) -> &[Value] {
        &self.0[id.0]
    }

    fn extend(&mut self, id: Id, items: impl IntoIterator<Item = Value>) {
        self.0[id.0].extend(items);
    }
}

/// A storage that a persistent id names.
#[derive(Debug)]
pub(crate) struct Storage {
    key: String,
    kind: String,
}

/// What may be called: `_rebuild_*` of tensors and the harmless makers of plain data that checkpoints hold.
fn inert(name: &str) -> bool {
    const EXACT: [&str; 26] = [
        "collections.defaultdict",
        "collections.Counter",
        "collections.deque",
        "torch.device",
        "torch.Size",
        "torch.dtype",
        "torch.Generator",
        "torch._utils._rebuild_device_tensor_from_numpy",
        "torch.serialization._get_layout",
        "numpy.dtype",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "_codecs.encode",
        "functools.partial",
        "argparse.Namespace",
        "pathlib.PosixPath",
        "pathlib.WindowsPath",
        "pathlib.Path",
        "datetime.datetime",
        "builtins.set",
        "builtins.frozenset",
        "builtins.bytearray",
        "builtins.complex",
        "builtins.slice",
    ];
    EXACT.contains(&name) || EXACT.contains(&name.replace("__builtin__.", "builtins.").as_str())
}

/// Modules whose classes no weights file has a reason to name.
fn forbidden_class(name: &str) -> bool {
    const ROOTS: [&str; 16] = [
        "os",
        "posix",
        "nt",
        "sys",
        "subprocess",
        "builtins",
        "__builtin__",
        "shutil",
        "socket",
        "ctypes",
        "importlib",
        "runpy",
        "pty",
        "pickle",
        "code",
        "webbrowser",
    ];
    ROOTS.contains(&name.split('.').next().unwrap_or(""))
}

/// The bytes not yet read.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let part = self.bytes.get(self.at..).and_then(|rest| rest.get(..n));
        self.at += n.min(self.bytes.len());
        part.ok_or_else(|| "the pickle is cut short".to_owned())
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self, n: usize) -> Result<usize, Fault> {
        let raw = self.take(n)?.iter().rev().fold(0u64, |v, b| v << 8 | u64::from(*b));
        usize::try_from(raw).map_err(|_| "a length in the pickle is absurd".to_owned())
    }

    fn line(&mut self) -> Result<&'a str, Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|b| *b == b'\n').ok_or("the pickle is cut short")?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| "a name in the pickle is no text".to_owned())
    }

    fn text(&mut self, n: usize) -> Result<Value, Fault> {
        Ok(Value::Text(String::from_utf8_lossy(self.take(n)?).into()))
    }
}

/// A pickle's value with all that it holds.
#[derive(Debug)]
pub(crate) struct Pickle {
    root: Value,
    heap: Heap,
}

/// Runs one pickle from the start of `bytes`; the value and how many bytes it took.
pub(crate) fn read(bytes: &[u8]) -> Result<(Pickle, usize), Fault> {
    let mut r = Reader { bytes, at: 0 };
    let mut m = Machine::default();
    loop {
        let op = r.byte()?;
        if op == b'.' {
            let value = m.pop()?;
            return Ok((Pickle { root: value, heap: m.heap }, r.at));
        }
        m.step(op, &mut r)?;
    }
}

#[derive(Default)]
struct Machine {
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<usize, Value>,
    heap: Heap,
}

/// Little-endian two's complement of at most 8 bytes; longer ones are only told apart from the magic.
fn long(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
    let mut full = [if negative { 0xff } else { 0 }; 8];
    for (f, b) in full.iter_mut().zip(bytes) {
        *f = *b;
    }
    i64::from_le_bytes(full)
}

impl Machine {
    fn pop(&mut self) -> Result<Value, Fault> {
        self.stack.pop().ok_or_else(|| "the pickle takes from an empty stack".to_owned())
    }

    fn top(&self) -> Result<&Value, Fault> {
        self.stack.last().ok_or_else(|| "the pickle takes from an empty stack".to_owned())
    }

    fn take_to_mark(&mut self) -> Result<Vec<Value>, Fault> {
        let at = self.marks.pop().ok_or("the pickle lacks a mark")?;
        if at > self.stack.len() {
            return Err("the pickle lacks a mark".into());
        }
        Ok(self.stack.split_off(at))
    }

    fn step(&mut self, op: u8, r: &mut Reader<'_>) -> Result<(), Fault> {
        match op {
            0x80 => drop(r.byte()?),
            0x95 => drop(r.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.take_to_mark()?),
            b'2' => self.stack.push(self.top()?.clone()),
            b'N' => self.stack.push(Value::None),
            0x88 | 0x89 => self.stack.push(Value::Bool),
            b'J' => {
                let b = r.take(4)?;
                self.stack.push(Value::Int(i64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]]))));
            }
            b'K' => {
                let n = r.byte()?;
                self.stack.push(Value::Int(i64::from(n)));
            }
            b'M' => {
                let n = r.number(2)?;
                self.stack.push(Value::Int(n as i64));
            }
            0x8a => {
                let n = r.number(1)?;
                self.stack.push(Value::Int(long(r.take(n)?)));
            }
            0x8b => {
                let n = r.number(4)?;
                self.stack.push(Value::Int(long(r.take(n)?)));
            }
            b'I' | b'L' => {
                let text = r.line()?;
                self.stack.push(match text {
                    "00" | "01" => Value::Bool,
                    _ => Value::Int(text.trim_end_matches('L').parse().unwrap_or(0)),
                });
            }
            b'G' => {
                r.take(8)?;
                self.stack.push(Value::Float);
            }
            b'F' => {
                r.line()?;
                self.stack.push(Value::Float);
            }
            b'X' | b'T' | b'B' => {
                let n = r.number(4)?;
                self.stack.push(r.text(n)?);
            }
            0x8c | b'U' | b'C' => {
                let n = r.number(1)?;
                self.stack.push(r.text(n)?);
            }
            0x8d | 0x8e | 0x96 => {
                let n = r.number(8)?;
                self.stack.push(r.text(n)?);
            }
            b'S' | b'V' => {
                let text = r.line()?.trim_matches(['\'', '"']);
                self.stack.push(Value::Text(text.into()));
            }
            b')' => self.tuple(Vec::new()),
            b't' => {
                let items = self.take_to_mark()?;
                self.tuple(items);
            }
            0x85..=0x87 => {
                let n = usize::from(op - 0x84);
                let at = self.stack.len().checked_sub(n).ok_or("the pickle takes from an empty stack")?;
                let items = self.stack.split_off(at);
                self.tuple(items);
            }
            b']' | 0x8f => self.list(Vec::new()),
            b'}' => self.dict(Vec::new()),
            b'l' | 0x91 => {
                let items = self.take_to_mark()?;
                self.list(items);
            }
            b'd' => {
                let items = self.take_to_mark()?;
                self.dict(items);
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.take_to_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.store(vec![key, value])?;
            }
            b'u' => {
                let items = self.take_to_mark()?;
                self.store(items)?;
            }
            b'q' => self.remember(usize::from(r.byte()?))?,
            b'r' => {
                let n = r.number(4)?;
                self.remember(n)?;
            }
            b'p' => {
                let n = r.line()?.parse().map_err(|_| "the pickle's memo is damaged")?;
                self.remember(n)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'h' => self.recall(usize::from(r.byte()?))?,
            b'j' => {
                let n = r.number(4)?;
                self.recall(n)?;
            }
            b'g' => {
                let n = r.line()?.parse().map_err(|_| "the pickle's memo is damaged")?;
                self.recall(n)?;
            }
            b'c' => {
                let (module, name) = (r.line()?, r.line()?);
                self.stack.push(Value::Global(format!("{module}.{name}").into()));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(name), Value::Text(module)) = (name, module) else {
                    return Err("the pickle names a class without a name".into());
                };
                self.stack.push(Value::Global(format!("{module}.{name}").into()));
            }
            b'Q' => {
                let id = self.pop()?;
                let value = self.storage(&id)?;
                self.stack.push(value);
            }
            b'R' => {
                let arguments = self.pop()?;
                let what = self.pop()?;
                let value = self.call(&what, &arguments)?;
                self.stack.push(value);
            }
            0x81 => {
                let _arguments = self.pop()?;
                let class = self.pop()?;
                self.object(&class)?;
            }
            0x92 => {
                let (_named, _arguments) = (self.pop()?, self.pop()?);
                let class = self.pop()?;
                self.object(&class)?;
            }
            b'o' => {
                let items = self.take_to_mark()?;
                self.object(items.first().unwrap_or(&Value::None))?;
            }
            b'i' => {
                let class = Value::Global(format!("{}.{}", r.line()?, r.line()?).into());
                self.take_to_mark()?;
                self.object(&class)?;
            }
            b'b' => {
                let state = self.pop()?;
                // Attributes of a dictionary or a tensor (`_metadata`, `requires_grad`) say nothing here.
                if let Value::Node(id) = *self.top()? {
                    self.heap.extend(id, [state]);
                }
            }
            other => return Err(format!("the pickle has the instruction 0x{other:02x}, which no weights file needs")),
        }
        Ok(())
    }

    fn remember(&mut self, at: usize) -> Result<(), Fault> {
        let value = self.top()?.clone();
        self.memo.insert(at, value);
        Ok(())
    }

    fn recall(&mut self, at: usize) -> Result<(), Fault> {
        let value = self.memo.get(&at).cloned().ok_or("the pickle recalls what it never stored")?;
        self.stack.push(value);
        Ok(())
    }
}

fn refused(name: &str) -> Fault {
    let name: String = name.chars().take(80).filter(|c| !c.is_control()).collect();
    format!("the pickle wants to call {name}, which no weights file needs; nothing of it was executed")
}

fn strange(what: &str) -> Fault {
    format!("the pickle {what} in a way that is not PyTorch's")
}

impl Machine {
    fn tuple(&mut self, items: Vec<Value>) {
        let id = self.heap.put(items);
        self.stack.push(Value::Tuple(id));
    }

    fn list(&mut self, items: Vec<Value>) {
        let id = self.heap.put(items);
        self.stack.push(Value::List(id));
    }

    fn dict(&mut self, items: Vec<Value>) {
        let id = self.heap.put(items);
        self.stack.push(Value::Dict(id));
    }

    fn extend(&mut self, items: Vec<Value>) -> Result<(), Fault> {
        if let Value::List(id) = *self.top()? {
            self.heap.extend(id, items);
        }
        Ok(())
    }

    fn store(&mut self, mut items: Vec<Value>) -> Result<(), Fault> {
        items.truncate(items.len() / 2 * 2);
        match *self.top()? {
            Value::Dict(id) => self.heap.extend(id, items),
            // A class derived from a dictionary keeps its items as its state.
            Value::Node(id) => {
                let inner = match self.heap.get(id).first() {
                    Some(Value::Dict(inner)) => *inner,
                    _ => {
                        let inner = self.heap.put(Vec::new());
                        self.heap.extend(id, [Value::Dict(inner)]);
                        inner
                    }
                };
                self.heap.extend(inner, items);
            }
            _ => {}
        }
        Ok(())
    }

    /// `('storage', type, key, place, numel[, view])`.
    fn storage(&self, id: &Value) -> Result<Value, Fault> {
        let fault = || strange("names a storage");
        let Value::Tuple(parts) = id else { return Err(fault()) };
        let [Value::Text(tag), Value::Global(kind), Value::Text(key), ..] = self.heap.get(*parts) else {
            return Err(fault());
        };
        if tag.as_ref() != "storage" || !kind.starts_with("torch.") {
            return Err(fault());
        }
        let kind = kind.rsplit('.').next().unwrap_or_default().to_owned();
        Ok(Value::Storage(Rc::new(Storage { key: key.as_ref().to_owned(), kind })))
    }

    /// An inert object.
    fn object(&mut self, class: &Value) -> Result<(), Fault> {
        let value = self.node(class)?;
        self.stack.push(value);
        Ok(())
    }

    fn node(&mut self, class: &Value) -> Result<Value, Fault> {
        match class {
            Value::Global(name) if forbidden_class(name) => Err(refused(name)),
            Value::Global(_) => Ok(Value::Node(self.heap.put(Vec::new()))),
            _ => Err("the pickle makes an object of no class".into()),
        }
    }

    fn call(&mut self, what: &Value, arguments: &Value) -> Result<Value, Fault> {
        let (Value::Global(name), Value::Tuple(arguments)) = (what, arguments) else {
            return Err("the pickle calls something that has no name".into());
        };
        let arguments = self.heap.get(*arguments).to_vec();
        match name.as_ref() {
            "collections.OrderedDict" => {
                let mut items = Vec::new();
                // Python 2 gives the items as a list of pairs.
                if let Some(Value::List(pairs)) = arguments.first() {
                    for pair in self.heap.get(*pairs) {
                        if let Value::Tuple(pair) | Value::List(pair) = pair
                            && let [key, value] = self.heap.get(*pair)
                        {
                            items.extend([key.clone(), value.clone()]);
                        }
                    }
                }
                Ok(Value::Dict(self.heap.put(items)))
            }
            "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor_v3" => {
                self.tensor(&arguments)
            }
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
                Ok(arguments.first().cloned().unwrap_or(Value::None))
            }
            // `function, type, arguments, state`: a tensor of a subclass; one level only.
            "torch._tensor._rebuild_from_type_v2" => match arguments.as_slice() {
                [Value::Global(function), _, Value::Tuple(inner), ..] if function.contains("_rebuild_tensor") => {
                    let inner = self.heap.get(*inner).to_vec();
                    self.tensor(&inner)
                }
                _ => Err(strange("rebuilds a tensor")),
            },
            "copy_reg._reconstructor" | "copyreg._reconstructor" => {
                self.node(arguments.first().unwrap_or(&Value::None))
            }
            name if inert(name) => Ok(Value::Node(self.heap.put(Vec::new()))),
            name => Err(refused(name)),
        }
    }

    fn tensor(&self, arguments: &[Value]) -> Result<Value, Fault> {
        let fault = || strange("rebuilds a tensor");
        let [Value::Storage(storage), Value::Int(offset), Value::Tuple(size), Value::Tuple(stride), ..] = arguments
        else {
            return Err(fault());
        };
        let numbers = |id: &Id| -> Result<Vec<usize>, Fault> {
            let one = |v: &Value| match v {
                Value::Int(n) => usize::try_from(*n).map_err(|_| fault()),
                _ => Err(fault()),
            };
            self.heap.get(*id).iter().take(9).map(one).collect()
        };
        let (size, stride) = (numbers(size)?, numbers(stride)?);
        if size.len() != stride.len() || size.len() > 8 {
            return Err(fault());
        }
        Ok(Value::Tensor(Rc::new(View {
            storage: storage.key.clone(),
            kind: storage.kind.clone(),
            offset: usize::try_from(*offset).map_err(|_| fault())?,
            size,
            stride,
        })))
    }
}

/// How deep dictionaries and modules may lie in each other, and how many tensors there may be.
const DEPTH: usize = 64;
const MOST_TENSORS: usize = 1 << 17;

impl Pickle {
    /// All tensors by dotted name: dictionaries by their keys, modules by `_parameters`, `_buffers` and `_modules`.
    pub(crate) fn tensors(&self) -> Vec<(String, Rc<View>)> {
        let mut found = Vec::new();
        let mut budget = 1 << 22;
        self.collect(&self.root, "", 0, &mut budget, &mut found);
        found
    }

    fn collect(
        &self,
        value: &Value,
        prefix: &str,
        depth: usize,
        budget: &mut usize,
        found: &mut Vec<(String, Rc<View>)>,
    ) {
        // A pickle can name one dictionary a thousand times inside itself; the budget ends that.
        *budget = budget.saturating_sub(1);
        if depth > DEPTH || found.len() >= MOST_TENSORS || *budget == 0 {
            return;
        }
        match value {
            Value::Tensor(view) => found.push((prefix.to_owned(), Rc::clone(view))),
            Value::Node(id) => {
                if let Some(state) = self.heap.get(*id).first() {
                    self.collect(state, prefix, depth + 1, budget, found);
                }
            }
            Value::Dict(id) => {
                let items = self.heap.get(*id);
                let is_module =
                    items.chunks(2).any(|item| matches!(&item[0], Value::Text(t) if t.as_ref() == "_modules"));
                for item in items.chunks_exact(2) {
                    let key: Rc<str> = match &item[0] {
                        Value::Text(key) => Rc::clone(key),
                        Value::Int(n) => n.to_string().into(),
                        _ => continue,
                    };
                    let value = &item[1];
                    match key.as_ref() {
                        "_parameters" | "_buffers" | "_modules" if is_module => {
                            self.collect(value, prefix, depth + 1, budget, found);
                        }
                        _ if is_module => {}
                        key if prefix.is_empty() => self.collect(value, key, depth + 1, budget, found),
                        key => self.collect(value, &format!("{prefix}.{key}"), depth + 1, budget, found),
                    }
                }
            }
            _ => {}
        }
    }

    /// The texts of a list, for the storage keys of the legacy layout.
    pub(crate) fn texts(&self) -> Vec<Rc<str>> {
        let Value::List(id) = &self.root else { return Vec::new() };
        let text = |v: &Value| match v {
            Value::Text(t) => Some(Rc::clone(t)),
            _ => None,
        };
        self.heap.get(*id).iter().filter_map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_off_the_list_is_refused_by_name() {
        // pickle.dumps of an object whose __reduce__ is (os.system, ("true",)), protocol 2.
        let bytes = b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.";
        let error = read(bytes).unwrap_err();
        assert!(error.contains("posix.system") && error.contains("nothing of it was executed"), "{error}");
        // The same as an object and as an instance of protocol 0.
        assert!(read(b"\x80\x02cos\nsystem\n)\x81.").unwrap_err().contains("os.system"));
        assert!(read(b"(ios\nsystem\n.").unwrap_err().contains("os.system"));
        assert!(read(b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.").unwrap_err().contains("builtins.eval"));
    }

    #[test]
    fn lengths_are_not_taken_on_their_word() {
        for bytes in [&b"X\xff\xff\xff\xff"[..], b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", b"\x8b\xff\xff\xff\x7f", b""]
        {
            assert!(read(bytes).unwrap_err().contains("cut short"), "{bytes:?}");
        }
        for bytes in [&b"."[..], b"t.", b"\x85.", b"h\x07.", b"R.", b"a.", b"\x99."] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        // A list that holds itself, and one doubled sixty times: both end.
        assert!(read(b"]q\x00h\x00a.").is_ok());
        let mut doubled = b"]".to_vec();
        for _ in 0..60 {
            doubled.extend(b"2\x86");
        }
        doubled.push(b'.');
        assert!(read(&doubled).unwrap().0.tensors().is_empty());
        // Nested a million deep: nothing recurses.
        let mut deep = b"]".to_vec();
        deep.extend(std::iter::repeat_n(0x85, 1_000_000));
        deep.push(b'.');
        assert!(read(&deep).unwrap().0.tensors().is_empty());
    }
}
