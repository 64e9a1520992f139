#include "page.h"

// The charts are drawn by dygraphs, which is taken from the system's package and is not copied into the sources. Its
// license, MIT, is in /usr/share/doc/libjs-dygraphs/copyright.
#if !__has_embed("/usr/share/javascript/dygraphs/dygraph.min.js")
#error "the page's charts want dygraphs: run `make packages`, or as root `apt-get install libjs-dygraphs`"
#endif

static const unsigned char dygraph_js[] = {
#embed "/usr/share/javascript/dygraphs/dygraph.min.js"
};
static const unsigned char dygraph_css[] = {
#embed "/usr/share/javascript/dygraphs/dygraph.min.css"
};

// The rest are the files of the folder page, as they are.
static const unsigned char index_html[] = {
#embed "page/index.html"
};
static const unsigned char icon_svg[] = {
#embed "page/icon.svg"
};
static const unsigned char style_css[] = {
#embed "page/style.css"
};
static const unsigned char parts_css[] = {
#embed "page/parts.css"
};
static const unsigned char main_js[] = {
#embed "page/main.js"
};
static const unsigned char access_js[] = {
#embed "page/access.js"
};
static const unsigned char charts_js[] = {
#embed "page/charts.js"
};
static const unsigned char counts_js[] = {
#embed "page/counts.js"
};
static const unsigned char elements_js[] = {
#embed "page/elements.js"
};
static const unsigned char format_js[] = {
#embed "page/format.js"
};
static const unsigned char latency_js[] = {
#embed "page/latency.js"
};
static const unsigned char letters_js[] = {
#embed "page/letters.js"
};
static const unsigned char state_js[] = {
#embed "page/state.js"
};
static const unsigned char storage_js[] = {
#embed "page/storage.js"
};
static const unsigned char stream_js[] = {
#embed "page/stream.js"
};
static const unsigned char tail_js[] = {
#embed "page/tail.js"
};

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define FILE_OF(name, type, bytes) {name, type, bytes, sizeof bytes}

const mr_page_file mr_page_files[] = {
    FILE_OF("index.html", HTML, index_html),
    FILE_OF("icon.svg", "image/svg+xml", icon_svg),
    FILE_OF("dygraph.js", SCRIPT, dygraph_js),
    FILE_OF("dygraph.css", CSS, dygraph_css),
    FILE_OF("style.css", CSS, style_css),
    FILE_OF("parts.css", CSS, parts_css),
    FILE_OF("main.js", SCRIPT, main_js),
    FILE_OF("access.js", SCRIPT, access_js),
    FILE_OF("charts.js", SCRIPT, charts_js),
    FILE_OF("counts.js", SCRIPT, counts_js),
    FILE_OF("elements.js", SCRIPT, elements_js),
    FILE_OF("format.js", SCRIPT, format_js),
    FILE_OF("latency.js", SCRIPT, latency_js),
    FILE_OF("letters.js", SCRIPT, letters_js),
    FILE_OF("state.js", SCRIPT, state_js),
    FILE_OF("storage.js", SCRIPT, storage_js),
    FILE_OF("stream.js", SCRIPT, stream_js),
    FILE_OF("tail.js", SCRIPT, tail_js),
};
const size_t mr_page_file_count = sizeof mr_page_files / sizeof mr_page_files[0];
