/* cli: where everything stands in a YAML text, and that it is no trap. */
#ifndef WW_CONF_DOC_H
#define WW_CONF_DOC_H

#include <whichworker/arena.h>
#include <whichworker/err.h>

enum conf_kind { CONF_SCALAR, CONF_MAP, CONF_LIST };

struct conf_node {
    enum conf_kind kind;
    size_t parent; /* the top is its own */
    ww_str key;    /* of a map's member; absent in a list */
    size_t index;  /* of a list's element */
    ww_str value;  /* of a scalar */
    unsigned line; /* from 1: of the key, or of the element */
    size_t children;
};

/* Owns what its slices point at. Nodes are in the order of the text; an empty text has none. */
struct conf_doc {
    struct ww_arena arena;
    struct conf_node *node;
    size_t nodes, cap;
};

#define CONF_NO_NODE SIZE_MAX

/*
 * Reads the places. WW_EUSAGE, with the line in the text behind `path`, where it is not YAML,
 * has what a configuration has no use for (aliases, tags, several documents, keys that are no
 * words), or is larger or deeper than one can be. The doc is to be released either way.
 */
int conf_doc_read(struct conf_doc *d, const char *path, ww_str text, struct ww_err *err);
void conf_doc_release(struct conf_doc *d);

/* A member of a map, or an element of a list; or CONF_NO_NODE. */
size_t conf_doc_member(const struct conf_doc *d, size_t parent, ww_str key);
size_t conf_doc_element(const struct conf_doc *d, size_t parent, size_t index);

#endif
