//! JSON into component values.

use super::caps::Caps;
use super::error::{Path, Problem, ValueError, found_text};
use super::shape::{FunctionShape, Shape};
use super::{bytes, number};
use serde_json::{Map, Value};
use wasmtime::component::Val;

/// One conversion: what is left of its caps.
pub(crate) struct Reader {
    caps: Caps,
    elements: usize,
}

type Read<T = Val> = Result<T, ValueError>;

impl Reader {
    pub(crate) fn new(caps: Caps) -> Self {
        Self { caps, elements: caps.elements }
    }

    /// Reads arguments: an object by name, or an array by position.
    pub(crate) fn args(&mut self, func: &FunctionShape, args: &Value) -> Read<Vec<Val>> {
        let path = &Path::ROOT;
        match args {
            Value::Object(given) => {
                let fields = self.fields("parameter", &func.params, given, path)?;
                Ok(fields.into_iter().map(|(_, value)| value).collect())
            }
            Value::Array(given) => self.positional(func, given),
            other => {
                let expected = "an object of arguments by name, or an array in order".to_owned();
                Err(Problem::Mismatch { expected, found: found_text(other) }.at(path))
            }
        }
    }

    fn positional(&mut self, func: &FunctionShape, given: &[Value]) -> Read<Vec<Val>> {
        let path = &Path::ROOT;
        if given.len() > func.params.len() {
            let expected = format!("{} arguments at most", func.params.len());
            let found = format!("an array of {}", given.len());
            return Err(Problem::Mismatch { expected, found }.at(path));
        }
        let mut args = Vec::with_capacity(func.params.len());
        for (index, (name, shape)) in func.params.iter().enumerate() {
            args.push(match given.get(index) {
                Some(value) => self.value(shape, value, &path.index(index))?,
                None if shape.is_optional() => Val::Option(None),
                None => return Err(Problem::missing("parameter", name, shape).at(path)),
            });
        }
        Ok(args)
    }

    pub(crate) fn value(&mut self, shape: &Shape, json: &Value, path: &Path<'_>) -> Read {
        self.spend(1, path)?;
        match (shape, json) {
            (Shape::Bool, Value::Bool(value)) => Ok(Val::Bool(*value)),
            (Shape::String, Value::String(text)) => Ok(Val::String(text.clone())),
            (Shape::Char, Value::String(text)) => {
                one_char(text).map(Val::Char).ok_or_else(|| Problem::mismatch(shape, json).at(path))
            }
            (Shape::List(item), _) => Ok(Val::List(self.items(shape, item, json, path)?)),
            (Shape::FixedList(item, len), _) => {
                let items = self.items(shape, item, json, path)?;
                if u32::try_from(items.len()) != Ok(*len) {
                    return Err(Problem::mismatch(shape, json).at(path));
                }
                Ok(Val::FixedLengthList(items))
            }
            (Shape::Map(key, value), _) => self.map(shape, (key, value), json, path),
            (Shape::Tuple(shapes), Value::Array(items)) if shapes.len() == items.len() => {
                let items = shapes.iter().zip(items).enumerate();
                Ok(Val::Tuple(
                    items
                        .map(|(index, (shape, item))| self.value(shape, item, &path.index(index)))
                        .collect::<Result<_, _>>()?,
                ))
            }
            (Shape::Record(fields), Value::Object(given)) => {
                Ok(Val::Record(self.fields("field", fields, given, path)?))
            }
            (Shape::Variant(cases), _) => self.variant(shape, cases, json, path),
            (Shape::Enum(names), Value::String(name)) => {
                known(names, name, "case", path).map(Val::Enum)
            }
            (Shape::Flags(names), Value::Array(given)) => self.flags(names, given, path),
            (Shape::Option(inner), _) => self.option(shape, inner, json, path),
            (Shape::Result { ok, err }, Value::Object(given)) => {
                self.result(shape, (ok.as_deref(), err.as_deref()), given, path)
            }
            _ => number::read(shape, json).ok_or_else(|| Problem::mismatch(shape, json).at(path)),
        }
    }

    fn items(
        &mut self,
        shape: &Shape,
        item: &Shape,
        json: &Value,
        path: &Path<'_>,
    ) -> Read<Vec<Val>> {
        match json {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, value)| self.value(item, value, &path.index(index)))
                .collect(),
            Value::Object(fields) if *item == Shape::U8 => {
                let decoded =
                    bytes::read(fields).ok_or_else(|| Problem::mismatch(shape, json).at(path))?;
                self.spend(decoded.len(), path)?;
                Ok(decoded.into_iter().map(Val::U8).collect())
            }
            _ => Err(Problem::mismatch(shape, json).at(path)),
        }
    }

    fn map(
        &mut self,
        shape: &Shape,
        (key, value): (&Shape, &Shape),
        json: &Value,
        path: &Path<'_>,
    ) -> Read {
        let mut pairs = Vec::new();
        match (key, json) {
            (Shape::String, Value::Object(fields)) => {
                for (name, item) in fields {
                    self.spend(1, path)?;
                    let item = self.value(value, item, &path.name(name))?;
                    pairs.push((Val::String(name.clone()), item));
                }
            }
            (Shape::String, _) => return Err(Problem::mismatch(shape, json).at(path)),
            (_, Value::Array(items)) => {
                for (index, pair) in items.iter().enumerate() {
                    let path = &path.index(index);
                    let Value::Array(pair) = pair else {
                        return Err(Problem::mismatch(shape, pair).at(path));
                    };
                    let [left, right] = pair.as_slice() else {
                        return Err(Problem::mismatch(shape, json).at(path));
                    };
                    let left = self.value(key, left, &path.index(0))?;
                    pairs.push((left, self.value(value, right, &path.index(1))?));
                }
            }
            _ => return Err(Problem::mismatch(shape, json).at(path)),
        }
        Ok(Val::Map(pairs))
    }

    fn fields(
        &mut self,
        what: &'static str,
        shapes: &[(String, Shape)],
        given: &Map<String, Value>,
        path: &Path<'_>,
    ) -> Read<Vec<(String, Val)>> {
        let mut used = 0;
        let mut fields = Vec::with_capacity(shapes.len());
        for (name, shape) in shapes {
            let value = match given.get(name) {
                Some(value) => {
                    used += 1;
                    self.value(shape, value, &path.name(name))?
                }
                None if shape.is_optional() => Val::Option(None),
                None => return Err(unknown_or_missing(what, name, shape, shapes, given, path)),
            };
            fields.push((name.clone(), value));
        }
        // Looking for the unknown one is slow, so it is done only where there must be one.
        if used < given.len()
            && let Some(problem) = first_unknown(what, shapes, given)
        {
            return Err(problem.at(path));
        }
        Ok(fields)
    }

    fn variant(
        &mut self,
        shape: &Shape,
        cases: &[(String, Option<Shape>)],
        json: &Value,
        path: &Path<'_>,
    ) -> Read {
        let (name, payload) = match json {
            Value::String(name) => (name, None),
            Value::Object(fields) if fields.len() == 1 => match fields.iter().next() {
                Some((name, payload)) => (name, Some(payload)),
                None => return Err(Problem::mismatch(shape, json).at(path)),
            },
            _ => return Err(Problem::mismatch(shape, json).at(path)),
        };
        let Some((_, ty)) = cases.iter().find(|(case, _)| case == name) else {
            let names = cases.iter().map(|(case, _)| case.as_str());
            return Err(Problem::unknown("case", name, names).at(path));
        };
        let payload = match (ty, payload) {
            (None, None) => None,
            (Some(ty), Some(payload)) => {
                Some(Box::new(self.value(ty, payload, &path.name(name))?))
            }
            (None, Some(_)) => {
                let expected = format!("\"{name}\" alone, for the case has no payload");
                return Err(Problem::Mismatch { expected, found: found_text(json) }.at(path));
            }
            (Some(ty), None) => {
                let expected = format!("{{\"{name}\": {}}}", ty.brief());
                return Err(Problem::Mismatch { expected, found: found_text(json) }.at(path));
            }
        };
        Ok(Val::Variant(name.clone(), payload))
    }

    fn flags(&mut self, names: &[String], given: &[Value], path: &Path<'_>) -> Read {
        let mut set = Vec::new();
        for (index, flag) in given.iter().enumerate() {
            let path = &path.index(index);
            self.spend(1, path)?;
            let Value::String(flag) = flag else {
                return Err(Problem::mismatch(&Shape::Enum(names.to_vec()), flag).at(path));
            };
            let flag = known(names, flag, "flag", path)?;
            // At most as many as the type has names (a repeat is refused), so this stays small.
            if set.contains(&flag) {
                return Err(Problem::Twice(flag).at(path));
            }
            set.push(flag);
        }
        Ok(Val::Flags(set))
    }

    fn option(&mut self, shape: &Shape, inner: &Shape, json: &Value, path: &Path<'_>) -> Read {
        let value = match json {
            Value::Null => return Ok(Val::Option(None)),
            // `null` already stands for the outer `none`, so an inner option is wrapped.
            Value::Object(fields) if inner.is_optional() => match fields.get("some") {
                Some(value) if fields.len() == 1 => self.value(inner, value, &path.name("some"))?,
                _ => return Err(Problem::mismatch(shape, json).at(path)),
            },
            _ if inner.is_optional() => return Err(Problem::mismatch(shape, json).at(path)),
            value => self.value(inner, value, path)?,
        };
        Ok(Val::Option(Some(Box::new(value))))
    }

    fn result(
        &mut self,
        shape: &Shape,
        (ok, err): (Option<&Shape>, Option<&Shape>),
        given: &Map<String, Value>,
        path: &Path<'_>,
    ) -> Read {
        let mismatch = || Problem::mismatch(shape, &Value::Object(given.clone())).at(path);
        let (side, value) = match (given.get("ok"), given.get("err")) {
            (Some(value), None) if given.len() == 1 => (ok, value),
            (None, Some(value)) if given.len() == 1 => (err, value),
            _ => return Err(mismatch()),
        };
        let is_ok = given.contains_key("ok");
        let path = &path.name(if is_ok { "ok" } else { "err" });
        let payload = match (side, value) {
            (Some(shape), value) => Some(Box::new(self.value(shape, value, path)?)),
            (None, Value::Null) => None,
            (None, other) => {
                let expected = "null, for this side has no payload".to_owned();
                return Err(Problem::Mismatch { expected, found: found_text(other) }.at(path));
            }
        };
        Ok(Val::Result(if is_ok { Ok(payload) } else { Err(payload) }))
    }

    fn spend(&mut self, elements: usize, path: &Path<'_>) -> Read<()> {
        self.elements = self.elements.checked_sub(elements).ok_or_else(|| {
            Problem::TooLarge { what: "values", limit: self.caps.elements }.at(path)
        })?;
        Ok(())
    }
}

/// A missing field next to an unknown one is most likely a misspelling: say that instead.
fn unknown_or_missing(
    what: &'static str,
    name: &str,
    shape: &Shape,
    shapes: &[(String, Shape)],
    given: &Map<String, Value>,
    path: &Path<'_>,
) -> ValueError {
    first_unknown(what, shapes, given)
        .unwrap_or_else(|| Problem::missing(what, name, shape))
        .at(path)
}

fn first_unknown(
    what: &'static str,
    shapes: &[(String, Shape)],
    given: &Map<String, Value>,
) -> Option<Problem> {
    let names = shapes.iter().map(|(name, _)| name.as_str());
    let unknown = given.keys().find(|key| !names.clone().any(|name| name == *key))?;
    Some(Problem::unknown(what, unknown, names))
}

fn known(names: &[String], name: &str, what: &'static str, path: &Path<'_>) -> Read<String> {
    match names.iter().find(|known| *known == name) {
        Some(name) => Ok(name.clone()),
        None => Err(Problem::unknown(what, name, names.iter().map(String::as_str)).at(path)),
    }
}

fn one_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let only = chars.next()?;
    chars.next().is_none().then_some(only)
}
