//! Records what `wasi:http` refuses before it becomes a request.
//!
//! Wasmtime reads each part of a request when the guest sets it, and the whole when the guest sends
//! it. What is unfit there is an error of the function, and no hook hears of it. So these functions
//! are shadowed: each lets wasmtime's own decide, and records a refusal.

use http::{HeaderName, HeaderValue, Method};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types::{
    self, ErrorCode, HostFields as _, HostOutgoingRequest as _,
};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;
use wasmtime_wasi_http::p2::{HeaderResult, HttpResult};
use wasmtime_wasi_http::{FieldMap, RequestOptions};
use writ_broker::codes::{self, Code};

use super::HttpView;
use crate::worker::host::GuestView;

/// The interfaces as wasmtime's bindings name them; under another name nothing would be shadowed.
const TYPES: &str = "wasi:http/types@0.2.12";
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

type Request = Resource<HostOutgoingRequest>;

/// Puts the functions that record in front of wasmtime's own.
pub(super) fn shadow<T: GuestView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    shadow_request(&mut linker.instance(TYPES)?)?;
    shadow_fields(&mut linker.instance(TYPES)?)?;
    shadow_handler(&mut linker.instance(HANDLER)?)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Defines one setter of a request; `$part` is what a refused value was meant to be.
macro_rules! setter {
    ($types:ident, $name:literal, $set:ident($value:ty), $code:expr, $part:literal, $text:expr) => {
        $types.func_wrap(
            concat!("[method]outgoing-request.", $name),
            |mut store: StoreContextMut<'_, T>, (request, value): (Request, $value)| {
                let mut view = store.data_mut().http();
                let set = view.inner().$set(request, value.clone())?;
                if set.is_err() {
                    let text: fn($value) -> Option<String> = $text;
                    let target = format!("{} {}", $part, text(value).unwrap_or_default());
                    view.refuse($code, target, concat!("HTTP cannot carry this ", $part));
                }
                Ok((set,))
            },
        )?;
    };
}

fn shadow_request<T: GuestView + 'static>(
    types: &mut LinkerInstance<'_, T>,
) -> wasmtime::Result<()> {
    setter!(
        types,
        "set-authority",
        set_authority(Option<String>),
        codes::AMBIGUOUS,
        "authority",
        |text| text
    );
    setter!(
        types,
        "set-path-with-query",
        set_path_with_query(Option<String>),
        codes::AMBIGUOUS,
        "path",
        |text| text
    );
    setter!(types, "set-method", set_method(types::Method), codes::METHOD, "method", |method| {
        match method {
            types::Method::Other(text) => Some(text),
            _ => None,
        }
    });
    setter!(
        types,
        "set-scheme",
        set_scheme(Option<types::Scheme>),
        codes::PORT,
        "scheme",
        |scheme| scheme.map(scheme_text)
    );
    Ok(())
}

fn shadow_fields<T: GuestView + 'static>(
    types: &mut LinkerInstance<'_, T>,
) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]fields.append",
        |mut store: StoreContextMut<'_, T>,
         (fields, name, value): (Resource<FieldMap>, String, Vec<u8>)| {
            let mut view = store.data_mut().http();
            let done = view.inner().append(fields, name.clone(), value);
            view.heard(done, || Some(name))
        },
    )?;
    types.func_wrap(
        "[method]fields.set",
        |mut store: StoreContextMut<'_, T>,
         (fields, name, values): (Resource<FieldMap>, String, Vec<Vec<u8>>)| {
            let mut view = store.data_mut().http();
            let done = view.inner().set(fields, name.clone(), values);
            view.heard(done, || Some(name))
        },
    )?;
    types.func_wrap(
        "[static]fields.from-list",
        |mut store: StoreContextMut<'_, T>, (entries,): (Vec<(String, Vec<u8>)>,)| {
            let mut view = store.data_mut().http();
            let unfit = entries.iter().find(|(name, value)| is_unfit(name, value));
            let unfit = unfit.map(|(name, _)| name.clone());
            let done = view.inner().from_list(entries);
            view.heard(done, || unfit)
        },
    )
}

fn shadow_handler<T: GuestView + 'static>(
    handler: &mut LinkerInstance<'_, T>,
) -> wasmtime::Result<()> {
    handler.func_wrap(
        "handle",
        |mut store: StoreContextMut<'_, T>,
         (request, options): (Request, Option<Resource<RequestOptions>>)| {
            let mut view = store.data_mut().http();
            let target = target(view.table.get(&request)?);
            let done = view.inner().handle(request, options);
            view.sent(done, target)
        },
    )
}

impl HttpView<'_> {
    /// Records what became of a header; those that are fit but forbidden are recorded by the hook.
    fn heard<R>(
        &self,
        done: HeaderResult<R>,
        name: impl FnOnce() -> Option<String>,
    ) -> wasmtime::Result<(Result<R, types::HeaderError>,)> {
        let error = match done {
            Ok(done) => return Ok((Ok(done),)),
            Err(error) => error.downcast()?,
        };
        if matches!(error, types::HeaderError::InvalidSyntax) {
            let target = format!("header {}", name().unwrap_or_default());
            self.refuse(codes::HEADER, target, "HTTP cannot carry this name or value");
        }
        Ok((Err(error),))
    }

    /// Records what became of a request; what the gate gets is recorded there.
    fn sent<R>(
        &self,
        done: HttpResult<R>,
        target: String,
    ) -> wasmtime::Result<(Result<R, ErrorCode>,)> {
        let error = match done {
            Ok(done) => return Ok((Ok(done),)),
            Err(error) => error.downcast()?,
        };
        // The scheme is the one thing that the hook was asked about.
        if !matches!(error, ErrorCode::HttpProtocolError) {
            self.refuse(codes::AMBIGUOUS, target, "HTTP cannot carry this request");
        }
        Ok((Err(error),))
    }

    fn refuse(&self, code: Code, target: String, reason: &str) {
        self.hooks.refuse(code, target, reason);
    }
}

fn is_unfit(name: &str, value: &[u8]) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_bytes(value).is_err()
}

fn scheme_text(scheme: types::Scheme) -> String {
    match scheme {
        types::Scheme::Http => "http".to_owned(),
        types::Scheme::Https => "https".to_owned(),
        types::Scheme::Other(text) => text,
    }
}

/// Puts together what the guest set, as a record says it.
fn target(request: &HostOutgoingRequest) -> String {
    let method: Result<Method, _> = request.method.clone().try_into();
    let method = method.unwrap_or_default();
    let scheme = request.scheme.clone().map_or_else(|| "https".to_owned(), scheme_text);
    let authority = request.authority.as_deref().unwrap_or_default();
    let path = request.path_with_query.as_deref().unwrap_or_default();
    format!("{method} {scheme}://{authority}{path}")
}
