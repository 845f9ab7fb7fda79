//! WIT types as text.

use super::bounds::TYPE_TEXT;
use super::docs::Docs;
use wit_parser::{Handle, Resolve, Type, TypeDef, TypeDefKind, TypeId};

/// Writes types and takes note of the named ones that it meets.
pub(super) struct TypeText<'r> {
    resolve: &'r Resolve,
    out: String,
    pub(super) named: Vec<TypeId>,
}

impl<'r> TypeText<'r> {
    pub(super) fn new(resolve: &'r Resolve) -> Self {
        Self { resolve, out: String::new(), named: Vec::new() }
    }

    /// Writes one type: a named one by its name.
    pub(super) fn reference(&mut self, ty: &Type) -> String {
        self.ty(ty);
        std::mem::take(&mut self.out)
    }

    /// Writes the definition of a named type, one part per line.
    pub(super) fn definition(
        &mut self,
        ty: &TypeDef,
        name: &str,
        interface: Option<&str>,
        docs: &Docs,
    ) -> String {
        let part = |text: &mut Self, item: &str, ty: Option<&Type>, sign: (&str, &str)| {
            for line in docs.part(interface, name, item).iter().flat_map(|docs| docs.lines()) {
                text.push("  /// ");
                text.push(line.trim());
                text.push("\n");
            }
            text.push("  ");
            text.push(item);
            if let Some(ty) = ty {
                text.push(sign.0);
                text.ty(ty);
                text.push(sign.1);
            }
            text.push(",\n");
        };
        let keyword = ty.kind.as_str();
        self.push(&format!("{keyword} {name}"));
        match &ty.kind {
            TypeDefKind::Record(it) => {
                self.push(" {\n");
                it.fields.iter().for_each(|f| part(self, &f.name, Some(&f.ty), (": ", "")));
                self.push("}");
            }
            TypeDefKind::Variant(it) => {
                self.push(" {\n");
                it.cases.iter().for_each(|c| part(self, &c.name, c.ty.as_ref(), ("(", ")")));
                self.push("}");
            }
            TypeDefKind::Enum(it) => {
                self.push(" {\n");
                it.cases.iter().for_each(|c| part(self, &c.name, None, ("", "")));
                self.push("}");
            }
            TypeDefKind::Flags(it) => {
                self.push(" {\n");
                it.flags.iter().for_each(|f| part(self, &f.name, None, ("", "")));
                self.push("}");
            }
            TypeDefKind::Resource => {}
            kind => {
                self.out.clear();
                self.push(&format!("type {name} = "));
                self.kind(kind);
            }
        }
        std::mem::take(&mut self.out)
    }

    fn ty(&mut self, ty: &Type) {
        let plain = match ty {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "s8",
            Type::S16 => "s16",
            Type::S32 => "s32",
            Type::S64 => "s64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => "error-context",
            Type::Id(id) => return self.id(*id),
        };
        self.push(plain);
    }

    fn id(&mut self, id: TypeId) {
        // A cut text grows no further, so the walk of a huge type ends here.
        if self.out.len() > TYPE_TEXT {
            return;
        }
        let resolve = self.resolve;
        let ty = &resolve.types[id];
        match &ty.name {
            Some(name) => {
                self.named.push(id);
                self.push(name);
            }
            None => self.kind(&ty.kind),
        }
    }

    fn kind(&mut self, kind: &TypeDefKind) {
        match kind {
            TypeDefKind::Type(ty) => self.ty(ty),
            TypeDefKind::Handle(Handle::Own(id)) => self.id(*id),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                self.push("borrow<");
                self.id(*id);
                self.push(">");
            }
            TypeDefKind::List(ty) => self.generic("list", &[Some(ty)], ""),
            TypeDefKind::FixedLengthList(ty, len) => {
                self.generic("list", &[Some(ty)], &format!(", {len}"));
            }
            TypeDefKind::Option(ty) => self.generic("option", &[Some(ty)], ""),
            TypeDefKind::Map(key, value) => self.generic("map", &[Some(key), Some(value)], ""),
            TypeDefKind::Tuple(it) => {
                let types: Vec<_> = it.types.iter().map(Some).collect();
                self.generic("tuple", &types, "");
            }
            TypeDefKind::Result(it) => match (&it.ok, &it.err) {
                (None, None) => self.push("result"),
                (Some(ok), None) => self.generic("result", &[Some(ok)], ""),
                (ok, err) => self.generic("result", &[ok.as_ref(), err.as_ref()], ""),
            },
            TypeDefKind::Future(ty) => self.generic("future", &[ty.as_ref()], ""),
            TypeDefKind::Stream(ty) => self.generic("stream", &[ty.as_ref()], ""),
            // The other kinds always have a name.
            named => self.push(named.as_str()),
        }
    }

    fn generic(&mut self, keyword: &str, types: &[Option<&Type>], end: &str) {
        self.push(keyword);
        let mut sign = "<";
        for ty in types {
            self.push(std::mem::replace(&mut sign, ", "));
            match ty {
                Some(ty) => self.ty(ty),
                None => self.push("_"),
            }
        }
        self.push(end);
        self.push(">");
    }

    fn push(&mut self, text: &str) {
        if self.out.len() > TYPE_TEXT {
            return;
        }
        self.out.push_str(text);
        if self.out.len() > TYPE_TEXT {
            self.out.push('…');
        }
    }
}
