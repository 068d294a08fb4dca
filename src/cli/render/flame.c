/* flame.c - the page of a flame graph, and folded stacks.
 *
 * Owns:       the page: its style, its program.
 * Threads:    one.
 * Invariants: FLAME-1  nothing is loaded from elsewhere.
 *             FLAME-2  names come from programs: in the data no '<' stands as itself, and the page
 *                      shows them as text only.
 */
#include "cli/render/flame.h"

#include "cli/render/units.h"

#include <string.h>

static const char g_head[] =
    "<style>\n"
    ":root{--ink:#1b1f24;--quiet:#5d6670;--line:#d9dde2;--paper:#fff;--own:#f6f7f9;--hit:#7a2fd0;"
    "--hit-ink:#fff}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--quiet:#98a2ae;--line:#333a43;"
    "--paper:#15191e;--own:#1d2229;--hit:#c79bff;--hit-ink:#15191e}}\n"
    "body{margin:0 auto;padding:1rem;max-width:1400px;background:var(--paper);color:var(--ink);"
    "font:14px/1.45 system-ui,sans-serif}\n"
    "h1{font-size:1.1rem;margin:0;overflow-wrap:anywhere}p{margin:.2rem 0;color:var(--quiet)}\n"
    ".bar{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.8rem 0}\n"
    "button,input{font:inherit;color:inherit;background:var(--own);border:1px solid var(--line);"
    "border-radius:5px;padding:.25rem .7rem}\n"
    "button[aria-pressed=true]{background:var(--ink);color:var(--paper)}input{flex:0 1 16rem}\n"
    "#graph{position:relative;overflow:hidden;border-bottom:1px solid var(--line)}\n"
    "#graph button{position:absolute;height:19px;padding:0 3px;border:0;border-radius:2px;"
    "text-align:left;font:12px/19px system-ui,sans-serif;color:#1b1f24;white-space:nowrap;"
    "overflow:hidden;text-overflow:ellipsis;cursor:pointer}\n"
    "#graph button.hit{background:var(--hit)!important;color:var(--hit-ink)}\n"
    "#graph button.above{opacity:.55}#graph button:focus-visible{outline:2px solid var(--ink);"
    "outline-offset:-2px}\n"
    "#told{min-height:3em;overflow-wrap:anywhere}\n"
    "table{border-collapse:collapse;width:100%;margin-top:1rem}td,th{padding:.2rem .6rem;"
    "text-align:right;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums;"
    "vertical-align:top;white-space:nowrap}td:last-child,th:last-child{text-align:left;"
    "white-space:normal;overflow-wrap:anywhere;width:99%}\n"
    "@media print{:root{--ink:#000;--quiet:#333;--line:#bbb;--paper:#fff;--own:#fff}"
    ".bar{display:none}body{padding:0}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "tr{break-inside:avoid}}\n"
    "</style>\n";

static const char g_controls[] =
    "<div class='bar' role='toolbar' aria-label='View'>\n"
    "<button data-kind='0' aria-pressed='true'>In use</button>\n"
    "<button data-kind='1' aria-pressed='false'>At the peak</button>\n"
    "<button data-kind='2' aria-pressed='false'>Allocated in all</button>\n"
    "<input id='search' type='search' placeholder='Search functions' "
    "aria-label='Search functions'>\n"
    "<button id='whole' hidden>Show the whole</button><span id='found'></span></div>\n"
    "<div id='graph'></div>\n<p id='told' aria-live='polite'></p>\n"
    "<noscript><p>The graph needs scripts; the table does not.</p></noscript>\n";

/* The tree of all stacks; a node is {n: name, c: children, v: [bytes], b: [blocks]}. */
static const char g_program[] =
    "<script>\n"
    "'use strict';\n"
    "const data=JSON.parse(document.getElementById('data').textContent);\n"
    "const make=(n,up)=>({n,up,c:new Map(),v:[0,0,0],b:[0,0,0]});\n"
    "const root=make('all',null);\n"
    "for(const[path,v,b]of data){let at=root;const add=()=>{for(let k=0;k<3;k++){at.v[k]+=v[k];"
    "at.b[k]+=b[k]}};add();\n"
    " for(const n of path){if(!at.c.has(n))at.c.set(n,make(n,at));at=at.c.get(n);add()}}\n"
    "let kind=0,focus=root,wanted='';\n"
    "const $=id=>document.getElementById(id),graph=$('graph'),ROW=20;\n"
    "const size=v=>{const u=['B','KiB','MiB','GiB','TiB'];let i=0;while(v>=1024&&i<4){v/=1024;"
    "i++}return(v%1?v.toFixed(1):v)+' '+u[i]};\n"
    "const share=(v,of)=>of?(100*v/of).toFixed(v*10<of?1:0)+'%':'-';\n"
    "const hue=n=>{let h=7;for(const c of n)h=(h*31+c.codePointAt(0))>>>0;"
    "return`hsl(${18+h%42} ${62+h%23}% ${66+h%13}%)`};\n"
    "const is_hit=n=>wanted&&n.toLowerCase().includes(wanted);\n"
    "const tell=t=>{$('told').textContent=`${t.n}: ${size(t.v[kind])} in "
    "${t.b[kind].toLocaleString('en')} block${t.b[kind]===1?'':'s'}, "
    "${share(t.v[kind],root.v[kind])} of "
    "all`};\n"
    "function draw(){graph.replaceChildren();let depth=0;const of=focus.v[kind];\n"
    " const put=(t,x,w,y,above)=>{depth=Math.max(depth,y+1);const e=document.createElement("
    "'button');\n"
    "  e.textContent=w>.02?t.n:'';e.title=`${t.n}\\n${size(t.v[kind])}, "
    "${share(t.v[kind],root.v[kind])}`;e.setAttribute('aria-label',e.title);\n"
    "  e.style.cssText=`left:${100*x}%;width:calc(${100*w}% - 1px);top:${y*ROW}px;background:"
    "${hue(t.n)}`;e.className=(is_hit(t.n)?'hit ':'')+(above?'above':'');\n"
    "  e.onclick=()=>{focus=t;draw();tell(t)};e.onmouseenter=e.onfocus=()=>tell(t);"
    "graph.append(e)};\n"
    " const up=[];for(let t=focus.up;t;t=t.up)up.unshift(t);up.forEach((t,y)=>put(t,0,1,y,true));"
    "\n"
    " const walk=(t,x,y)=>{const w=of?t.v[kind]/of:0;if(w<.0008&&t!==focus)return;"
    "put(t,x,w||1,y,false);\n"
    "  let at=x;for(const c of[...t.c.values()].sort((a,b)=>b.v[kind]-a.v[kind])){walk(c,at,y+1);"
    "at+=of?c.v[kind]/of:0}};\n"
    " walk(focus,0,up.length);graph.style.height=depth*ROW+'px';$('whole').hidden=focus===root;\n"
    " const held=t=>is_hit(t.n)?t.v[kind]:[...t.c.values()].reduce((s,c)=>s+held(c),0);\n"
    " $('found').textContent=wanted?`${size(held(root))}, ${share(held(root),root.v[kind])} in "
    "what was found`:''}\n"
    "for(const e of document.querySelectorAll('[data-kind]'))e.onclick=()=>{kind=+e.dataset.kind;"
    "document.querySelectorAll('[data-kind]').forEach(o=>o.setAttribute('aria-pressed',o===e));"
    "draw();tell(focus)};\n"
    "$('search').oninput=e=>{wanted=e.target.value.toLowerCase();draw()};\n"
    "$('whole').onclick=()=>{focus=root;draw();tell(root)};\n"
    "addEventListener('keydown',e=>{if(e.key==='Escape'){focus=root;draw();tell(root)}});\n"
    "if(!root.v[0]&&root.v[1])document.querySelector('[data-kind=\"1\"]').click();"
    "else{draw();tell(root)}\n"
    "</script>\n";

/* FLAME-2 */
static void put_string(struct text *out, const char *string, size_t bytes)
{
    text_put_char(out, '"');
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char c = (unsigned char)string[i];
        if (c == '"' || c == '\\' || c == '<' || c < ' ') {
            text_printf(out, "\\u%04x", c);
        } else {
            text_put_char(out, (char)c);
        }
    }
    text_put_char(out, '"');
}

static void put_data(struct text *out, const struct flame *flame)
{
    text_put(out, "<script type='application/json' id='data'>[");
    for (size_t i = 0; i < flame->count; i++) {
        const struct flame_row *const row = &flame->rows[i];
        text_put(out, i != 0 ? ",\n[[" : "[[");
        for (const char *at = row->path; *at != 0;) {
            const size_t bytes = strcspn(at, "\n");
            text_put(out, at != row->path ? "," : "");
            put_string(out, at, bytes);
            at += bytes + (at[bytes] != 0);
        }
        text_printf(out, "],[%llu,%llu,%llu],[%llu,%llu,%llu]]", (unsigned long long)row->bytes[0],
                    (unsigned long long)row->bytes[1], (unsigned long long)row->bytes[2],
                    (unsigned long long)row->blocks[0], (unsigned long long)row->blocks[1],
                    (unsigned long long)row->blocks[2]);
    }
    text_put(out, "]</script>\n");
}

#define TABLE_ROWS   25u
#define TABLE_FRAMES 6u

/* The innermost functions of a stack, the nearest first. */
static void put_nearest(struct text *out, const char *path)
{
    const char *end = path + strlen(path);
    for (unsigned i = 0; i < TABLE_FRAMES && end > path; i++) {
        const char *begin = end;
        while (begin > path && begin[-1] != '\n') {
            begin--;
        }
        struct text name = {0};
        text_put_bytes(&name, begin, (size_t)(end - begin));
        text_put(out, i != 0 ? " ← " : "");
        text_put_escaped(out, text_string(&name));
        text_free(&name);
        end = begin > path ? begin - 1 : begin;
    }
}

static void put_table(struct text *out, const struct flame *flame)
{
    text_put(out, "<table><tr><th>in use<th>at the peak<th>in all<th>blocks in use<th>"
                  "allocated by\n");
    for (size_t i = 0; i < flame->count && i < TABLE_ROWS; i++) {
        const struct flame_row *const row = &flame->rows[i];
        text_printf(out, "<tr><td>%s<td>%s<td>%s<td>%s<td>",
                    units_bytes(row->bytes[FLAME_IN_USE]).chars,
                    units_bytes(row->bytes[FLAME_AT_PEAK]).chars,
                    units_bytes(row->bytes[FLAME_IN_ALL]).chars,
                    units_count(row->blocks[FLAME_IN_USE]).chars);
        put_nearest(out, row->path);
        text_put_char(out, '\n');
    }
    text_put(out, "</table>\n");
}

void flame_put_page(struct text *out, const struct flame *flame)
{
    text_put(out, "<!doctype html>\n<html lang='en'>\n<meta charset='utf-8'>\n"
                  "<meta name='viewport' content='width=device-width'>\n"
                  "<meta name='color-scheme' content='light dark'>\n<title>Heap profile: ");
    text_put_escaped(out, flame->program);
    text_put(out, "</title>\n");
    text_put(out, g_head);
    text_put(out, "<h1>");
    text_put_escaped(out, flame->program);
    text_put(out, "</h1>\n<p>");
    text_put_escaped(out, flame->facts);
    text_put(out, "</p>\n");
    text_put(out, g_controls);
    put_table(out, flame);
    put_data(out, flame);
    text_put(out, g_program);
    text_put(out, "</html>\n");
}

void flame_put_folded(struct text *out, const struct flame *flame, unsigned kind)
{
    for (size_t i = 0; i < flame->count; i++) {
        const struct flame_row *const row = &flame->rows[i];
        if (row->bytes[kind] == 0) {
            continue;
        }
        for (const char *at = row->path; *at != 0; at++) {
            text_put_char(out, (char)(*at == '\n' ? ';' : *at == ';' ? ':' : *at));
        }
        text_printf(out, " %llu\n", (unsigned long long)row->bytes[kind]);
    }
}
