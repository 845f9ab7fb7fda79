//! The directories that the host opened beforehand, by their names.

#[cfg(not(target_env = "p1"))]
pub(crate) fn names() -> Vec<String> {
    wasip2::filesystem::preopens::get_directories().into_iter().map(|(_, name)| name).collect()
}

#[cfg(target_env = "p1")]
#[expect(unsafe_code, reason = "wasip1 fills a buffer behind a pointer")]
pub(crate) fn names() -> Vec<String> {
    // The first descriptor after standard input, output and error.
    let mut descriptor = 3;
    let mut names = Vec::new();
    // SAFETY: the buffer has the length that is passed on, which is the one the host asked for.
    while let Ok(found) = unsafe { wasip1::fd_prestat_get(descriptor) } {
        let length = unsafe { found.u.dir.pr_name_len };
        let mut name = vec![0; length];
        if unsafe { wasip1::fd_prestat_dir_name(descriptor, name.as_mut_ptr(), length) }.is_ok() {
            names.push(String::from_utf8_lossy(&name).into_owned());
        }
        descriptor += 1;
    }
    names
}
