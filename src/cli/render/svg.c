/* svg.c - pictures in one self-contained file.
 *
 * Owns:       the style sheet, with every colour of every picture.
 * Threads:    one.
 * Invariants: SVG-1  nothing is loaded from elsewhere and nothing is run: no scripts, no fonts.
 *             SVG-2  names from processes pass text_put_escaped.
 */
#include "cli/render/svg.h"

#include <string.h>

static const char g_style[] =
    "svg{--ink:#1b1f24;--quiet:#6a737d;--grid:#e3e6ea;--paper:#ffffff;--clean:#e9ecf0;"
    "--dirty:#f2c14e;--small:#3b7dd8;--medium:#2a9d6f;--large:#8e5bc0;--foreign:#c8553d;"
    "--rss:#c8553d;--live:#2a9d6f}\n"
    "@media(prefers-color-scheme:dark){svg{--ink:#e6e9ee;--quiet:#98a2ae;--grid:#2d333b;"
    "--paper:#15191e;--clean:#2a3038;--small:#5b9bf0;--medium:#43bd8b;--large:#ad7ee0;"
    "--foreign:#e2745c;--rss:#e2745c;--live:#43bd8b}}\n"
    "text{font:12px system-ui,sans-serif;fill:var(--ink)}text.quiet{fill:var(--quiet)}"
    "text.head{font-size:16px;font-weight:600}\n"
    ".paper{fill:var(--paper)}.grid{stroke:var(--grid);stroke-width:1}"
    ".clean{fill:var(--clean)}.dirty{fill:var(--dirty)}.small{fill:var(--small)}"
    ".medium{fill:var(--medium)}.large{fill:var(--large)}.foreign{fill:var(--foreign)}\n"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}.heap{stroke:var(--small)}"
    ".mmap{stroke:var(--large)}.rss{stroke:var(--rss)}.live{stroke:var(--live)}"
    ".pale{opacity:.35}.k-text{fill:#3b7dd8}.k-rodata{fill:#63b3c9}.k-data{fill:#d98e32}"
    ".k-bss{fill:#e3bd4b}.k-heap{fill:#d1493a}.k-anon{fill:#8e5bc0}.k-file{fill:#7d8793}"
    ".k-shared{fill:#2a9d6f}.k-stack{fill:#c64f8e}.k-reserved{fill:#a3abb5}.k-vdso{fill:#5d6b3f}\n"
    ".purge{stroke:var(--dirty)}.mark{stroke-width:1.5}\n";

void svg_open(struct text *out, unsigned width, unsigned height, const char *title)
{
    text_printf(
        out,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %u %u' width='%u' height='%u' "
        "role='img'>\n<style>%s</style>\n<title>",
        width, height, width, height, g_style);
    text_put_escaped(out, title);
    text_printf(out, "</title>\n<rect class='paper' width='%u' height='%u'/>\n", width, height);
    text_put(out, "<text class='head' x='16' y='28'>");
    text_put_escaped(out, title);
    text_put(out, "</text>\n");
}

void svg_close(struct text *out)
{
    text_put(out, "</svg>\n");
}

bool svg_is_page(const char *path)
{
    const char *const dot = strrchr(path, '.');
    return dot != NULL && (strcmp(dot, ".html") == 0 || strcmp(dot, ".htm") == 0);
}

void svg_write_path(const struct text *svg, const struct text *notes, const char *title,
                    const char *path)
{
    if (!svg_is_page(path)) {
        text_write_path(svg, path);
        return;
    }
    struct text page = {0};
    text_put(&page, "<!doctype html>\n<html lang='en'>\n<meta charset='utf-8'>\n"
                    "<meta name='viewport' content='width=device-width'>\n"
                    "<meta name='color-scheme' content='light dark'>\n<title>");
    text_put_escaped(&page, title);
    text_put(&page,
             "</title>\n<style>body{margin:2rem auto;max-width:1000px;padding:0 1rem;"
             "font:14px/1.5 "
             "system-ui,sans-serif}@media(prefers-color-scheme:dark){body{background:#15191e;"
             "color:#e6e9ee}}pre{white-space:pre-wrap;font:inherit}svg{width:100%;height:auto}"
             "table{border-collapse:collapse;width:100%}td,th{padding:.15rem .6rem;"
             "text-align:right;border-bottom:1px solid #8884;"
             "font-variant-numeric:tabular-nums}td:first-child,th:first-child"
             "{text-align:left}</style>\n");
    text_put(&page, text_string(svg));
    text_put(&page, text_string(notes));
    text_put(&page, "</html>\n");
    text_write_path(&page, path);
    text_free(&page);
}
