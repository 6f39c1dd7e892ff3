/* Walks a YAML text by libyaml's events: bounds first, then where everything stands. */
#include "conf_doc.h"

#include <stdlib.h>
#include <yaml.h>

#define DEPTH_MAX  6     /* nesting; the deepest key of ours is at 3 */
#define NODES_MAX  20000 /* keys and elements */
#define SCALAR_MAX 8192  /* bytes */
#define NO_KEY     ((ww_str){ 0 })

struct walk {
    struct conf_doc *doc;
    const char *path;
    size_t open[DEPTH_MAX]; /* the maps and lists that are being read */
    size_t depth;
    ww_str key; /* of the member that comes next; absent: a key is due */
    unsigned key_line;
    unsigned documents;
};

static int wrong(const struct walk *w, const yaml_mark_t *at, struct ww_err *err,
                 const char *what)
{
    return ww_err_set(err, WW_EUSAGE, "%s:%zu: %s", w->path, at->line + 1, what);
}

static bool in_map(const struct walk *w)
{
    return w->depth > 0 && w->doc->node[w->open[w->depth - 1]].kind == CONF_MAP;
}

static int add(struct walk *w, enum conf_kind kind, const yaml_event_t *e, struct ww_err *err)
{
    struct conf_doc *d = w->doc;

    if (d->nodes == NODES_MAX)
        return wrong(w, &e->start_mark, err, "more than 20000 keys and values");
    if (d->nodes == d->cap)
        d->node = ww_grow(d->node, d->nodes + 1, &d->cap, sizeof(*d->node));

    size_t parent = w->depth == 0 ? 0 : w->open[w->depth - 1];
    struct conf_node *n = &d->node[d->nodes];

    *n = (struct conf_node){
        .kind = kind, .parent = parent, .key = w->key, .line = (unsigned)e->start_mark.line + 1
    };
    if (d->nodes > 0)
        n->index = d->node[parent].children++;
    if (in_map(w))
        n->line = w->key_line;
    w->key = NO_KEY;
    d->nodes++;
    return WW_OK;
}

static int on_scalar(struct walk *w, const yaml_event_t *e, struct ww_err *err)
{
    ww_str text = ww_str_n((const char *)e->data.scalar.value, e->data.scalar.length);

    if (e->data.scalar.tag != NULL)
        return wrong(w, &e->start_mark, err, "tags (!name) are not understood here");
    if (text.len > SCALAR_MAX)
        return wrong(w, &e->start_mark, err, "a value of more than 8192 bytes");
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return wrong(w, &e->start_mark, err, "a value with a NUL");
    text = ww_arena_dup(&w->doc->arena, text);
    if (in_map(w) && w->key.ptr == NULL) {
        w->key = text;
        w->key_line = (unsigned)e->start_mark.line + 1;
        return WW_OK;
    }
    if (add(w, CONF_SCALAR, e, err) < 0)
        return err->code;
    w->doc->node[w->doc->nodes - 1].value = text;
    return WW_OK;
}

static int on_open(struct walk *w, enum conf_kind kind, const yaml_event_t *e,
                   struct ww_err *err)
{
    if (in_map(w) && w->key.ptr == NULL)
        return wrong(w, &e->start_mark, err, "a key must be a word");
    if (w->depth == DEPTH_MAX)
        return wrong(w, &e->start_mark, err, "nested too deep");
    if (add(w, kind, e, err) < 0)
        return err->code;
    w->open[w->depth++] = w->doc->nodes - 1;
    return WW_OK;
}

static int on_event(struct walk *w, const yaml_event_t *e, struct ww_err *err)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(w, e, err);
    case YAML_MAPPING_START_EVENT:
        return on_open(w, CONF_MAP, e, err);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(w, CONF_LIST, e, err);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        w->depth--;
        return WW_OK;
    case YAML_ALIAS_EVENT:
        return wrong(w, &e->start_mark, err, "aliases (*name) are not understood here");
    case YAML_DOCUMENT_START_EVENT:
        return ++w->documents > 1
                   ? wrong(w, &e->start_mark, err, "a second document: only one is read")
                   : WW_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return WW_OK;
    }
    return WW_OK;
}

static int not_yaml(const struct walk *w, const yaml_parser_t *p, struct ww_err *err)
{
    /* A reader's error has an offset and no mark. */
    if (p->error == YAML_READER_ERROR)
        return ww_err_set(err, WW_EUSAGE, "%s: not a text: %s at byte %zu", w->path, p->problem,
                          p->problem_offset);
    return ww_err_set(err, WW_EUSAGE, "%s:%zu: not YAML: %s%s%s", w->path,
                      p->problem_mark.line + 1,
                      p->problem == NULL ? "cannot be read" : p->problem,
                      p->context == NULL ? "" : " ", p->context == NULL ? "" : p->context);
}

int conf_doc_read(struct conf_doc *d, const char *path, ww_str text, struct ww_err *err)
{
    struct walk w = { .doc = d, .path = path };
    yaml_parser_t parser;
    int status = WW_OK;

    *d = (struct conf_doc){ 0 };
    ww_arena_init(&d->arena, SIZE_MAX);
    if (yaml_parser_initialize(&parser) == 0)
        return ww_err_set(err, WW_ELIMIT, "%s: no memory", path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    for (bool over = false; status == WW_OK && !over;) {
        yaml_event_t e;

        if (yaml_parser_parse(&parser, &e) == 0) {
            status = not_yaml(&w, &parser, err);
            break;
        }
        over = e.type == YAML_STREAM_END_EVENT;
        status = on_event(&w, &e, err);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&parser);
    return status;
}

void conf_doc_release(struct conf_doc *d)
{
    free(d->node);
    ww_arena_release(&d->arena);
}

size_t conf_doc_member(const struct conf_doc *d, size_t parent, ww_str key)
{
    for (size_t i = parent + 1; i < d->nodes; i++)
        if (d->node[i].parent == parent && ww_str_eq(d->node[i].key, key))
            return i;
    return CONF_NO_NODE;
}

size_t conf_doc_element(const struct conf_doc *d, size_t parent, size_t index)
{
    for (size_t i = parent + 1; i < d->nodes; i++)
        if (d->node[i].parent == parent && d->node[i].index == index)
            return i;
    return CONF_NO_NODE;
}
