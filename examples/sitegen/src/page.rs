//! One page: Markdown in, HTML out.

use std::path::Path;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A page, ready to be written.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Page {
    /// The text of the first heading, or the name of the file.
    pub(crate) title: String,
    /// The body as HTML.
    pub(crate) body: String,
}

/// Renders Markdown. `name` is the title of a page that has no heading.
pub(crate) fn render(markdown: &str, name: &str) -> Page {
    let extensions = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let events: Vec<Event<'_>> = Parser::new_ext(markdown, extensions).map(link_to_html).collect();
    let title = first_heading(&events).unwrap_or_else(|| name.to_owned());
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events.into_iter());
    Page { title, body }
}

/// Puts a body into the frame that all pages share. `root` leads back to the root of the site.
pub(crate) fn frame(page: &Page, root: &str) -> String {
    let (title, body) = (escape(&page.title), &page.body);
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{root}style.css">
<nav><a href="{root}index.html">All pages</a></nav>
<main>
{body}</main>
</html>
"#
    )
}

/// Escapes text for HTML, inside an element or a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A link from one Markdown file to another becomes a link from page to page.
fn link_to_html(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = page_url(dest_url);
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        other => other,
    }
}

fn page_url(url: CowStr<'_>) -> CowStr<'_> {
    let (path, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let is_page = Path::new(path).extension().is_some_and(|extension| extension == "md");
    match path.strip_suffix(".md") {
        Some(stem) if is_page && !path.contains("://") => format!("{stem}.html{fragment}").into(),
        _ => url,
    }
}

fn first_heading(events: &[Event<'_>]) -> Option<String> {
    let is_start = |event: &Event<'_>| {
        matches!(event, Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }))
    };
    let start = events.iter().position(is_start)?;
    let inside = events[start..].iter().take_while(|event| !is_heading_end(event));
    let text: String = inside
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect();
    Some(text).filter(|text| !text.is_empty())
}

fn is_heading_end(event: &Event<'_>) -> bool {
    matches!(event, Event::End(TagEnd::Heading(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_is_the_first_heading_without_its_markup() {
        assert_eq!(render("text\n\n# A *good* `title`\n\n# Next", "file").title, "A good title");
    }

    #[test]
    fn a_page_without_a_heading_is_called_after_its_file() {
        assert_eq!(render("just text", "notes").title, "notes");
        assert_eq!(render("#\n", "notes").title, "notes");
    }

    #[test]
    fn links_between_sources_become_links_between_pages() {
        let body = render("[a](guide/a.md) [b](b.md#part) [c](https://x.org/d.md)", "p").body;
        assert!(body.contains(r#"href="guide/a.html""#));
        assert!(body.contains(r#"href="b.html#part""#));
        assert!(body.contains(r#"href="https://x.org/d.md""#));
    }

    #[test]
    fn a_title_cannot_end_the_element_it_stands_in() {
        let page = Page { title: "</title><script>".into(), body: String::new() };
        assert!(frame(&page, "").contains("<title>&lt;/title&gt;&lt;script&gt;</title>"));
    }

    #[test]
    fn tables_are_rendered() {
        assert!(render("|a|b|\n|-|-|\n|1|2|\n", "p").body.contains("<td>1</td>"));
    }
}
