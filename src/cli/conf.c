/* Reads the configuration file, through libcyaml. */
#include "conf.h"

#include "conf_doc.h"
#include "conf_lists.h"
#include "opts.h"
#include "suggest.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX   (1u << 20)
#define RULES_MAX  500 /* of each list */
#define VALUES_MAX 64  /* of an option that takes several */
#define VALUE_MAX  8192

/* What libcyaml fills. */
struct content {
    struct {
        struct conf_item *item;
        uint32_t items;
    } list[CONF_LISTS];
    struct {
        char *scalar;
        char **element;
        uint32_t elements;
    } option[OPTIONS_MAX];
};

#define TOP_FIELDS (CONF_LISTS + OPTIONS_MAX + 1)

/* What libcyaml reads against; made from our two tables. */
struct schema {
    cyaml_schema_field_t key[CONF_LISTS][CONF_KEYS_MAX + 1];
    cyaml_schema_value_t item[CONF_LISTS];
    cyaml_schema_value_t text;
    cyaml_schema_field_t field[TOP_FIELDS];
    cyaml_schema_value_t top;
};

struct conf_store {
    struct ww_arena arena;
    struct conf_doc doc;
    struct schema schema;
    struct content *content;
};

/* ---- the schema */

static cyaml_schema_value_t text_schema(void)
{
    return (cyaml_schema_value_t){ .type = CYAML_STRING,
                                   .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                                   .data_size = sizeof(char),
                                   .string = { .min = 0, .max = VALUE_MAX } };
}

static void list_schema(struct schema *s, size_t i, cyaml_schema_field_t *out)
{
    const struct conf_key *key = conf_lists[i].key;

    for (size_t k = 0; k < CONF_KEYS_MAX && key[k].name != NULL; k++)
        s->key[i][k] = (cyaml_schema_field_t){ .key = key[k].name,
                                               .data_offset = (uint32_t)key[k].offset,
                                               .value = text_schema() };
    s->item[i] = (cyaml_schema_value_t){ .type = CYAML_MAPPING,
                                         .flags = CYAML_FLAG_DEFAULT,
                                         .data_size = sizeof(struct conf_item),
                                         .mapping = { .fields = s->key[i] } };
    *out = (cyaml_schema_field_t){
        .key = conf_lists[i].name,
        .data_offset = (uint32_t)(offsetof(struct content, list) +
                                  i * sizeof(((struct content *)0)->list[0])),
        .count_offset = (uint32_t)(offsetof(struct content, list[0].items) +
                                   i * sizeof(((struct content *)0)->list[0])),
        .count_size = sizeof(uint32_t),
        .value = { .type = CYAML_SEQUENCE,
                   .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                   .data_size = sizeof(struct conf_item),
                   .sequence = { .entry = &s->item[i], .min = 0, .max = RULES_MAX } },
    };
}

/* An option that takes several may have one value or a list, as the text has it. */
static void option_schema(struct schema *s, const struct conf_doc *d, size_t i,
                          cyaml_schema_field_t *out)
{
    const char *name = options_table[i].name;
    uint32_t at = (uint32_t)(offsetof(struct content, option) +
                             i * sizeof(((struct content *)0)->option[0]));
    size_t node = conf_doc_member(d, 0, ww_str_c(name));

    *out = (cyaml_schema_field_t){ .key = name, .data_offset = at, .value = text_schema() };
    if (!option_is_list(&options_table[i]) || node == CONF_NO_NODE ||
        d->node[node].kind != CONF_LIST)
        return;
    out->data_offset += (uint32_t)offsetof(struct content, option[0].element) -
                        (uint32_t)offsetof(struct content, option[0]);
    out->count_offset = at + (uint32_t)offsetof(struct content, option[0].elements) -
                        (uint32_t)offsetof(struct content, option[0]);
    out->count_size = sizeof(uint32_t);
    out->value = (cyaml_schema_value_t){
        .type = CYAML_SEQUENCE,
        .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        .data_size = sizeof(char *),
        .sequence = { .entry = &s->text, .min = 0, .max = VALUES_MAX },
    };
}

static void schema_init(struct schema *s, const struct conf_doc *d)
{
    size_t n = 0;

    s->text = text_schema();
    for (size_t i = 0; i < CONF_LISTS; i++)
        list_schema(s, i, &s->field[n++]);
    for (size_t i = 0; options_table[i].name != NULL; i++)
        if (!options_table[i].ask)
            option_schema(s, d, i, &s->field[n++]);
    s->top = (cyaml_schema_value_t){ .type = CYAML_MAPPING,
                                     .flags = CYAML_FLAG_POINTER,
                                     .data_size = sizeof(struct content),
                                     .mapping = { .fields = s->field } };
}

/* ---- the text against the schema, in the user's words */

struct check {
    const char *path;
    const struct conf_doc *doc;
    struct ww_err *err;
};

static const char *next_field(const void *ctx, size_t i)
{
    const cyaml_schema_field_t *field = ctx;

    return field[i].key;
}

static int unknown_key(const struct check *c, const struct conf_node *n,
                       const cyaml_schema_field_t *field)
{
    const char *meant = closest(n->key, next_field, field);
    char hint[512] = "";

    if (meant != NULL)
        snprintf(hint, sizeof(hint), "; did you mean '%s'?", meant);
    for (size_t i = 0; n->parent != 0 && meant == NULL && field[i].key != NULL; i++) {
        size_t len = strlen(hint);
        snprintf(hint + len, sizeof(hint) - len, "%s%s", i == 0 ? "; allowed are " : ", ",
                 field[i].key);
    }
    return ww_err_set(c->err, WW_EUSAGE, "%s:%u: there is no key '" WW_STRF "' here%s", c->path,
                      n->line, WW_STRV(n->key), hint);
}

static int wants(const struct check *c, const struct conf_node *n, enum cyaml_type type)
{
    const char *what = type == CYAML_SEQUENCE  ? "a list: lines that begin with '- '"
                       : type == CYAML_MAPPING ? "keys with values: 'key: value'"
                       : n->kind == CONF_LIST  ? "one value, not a list"
                                               : "a value";

    if (n == c->doc->node)
        return ww_err_set(c->err, WW_EUSAGE, "%s:%u: the file wants %s", c->path, n->line,
                          what);
    if (n->key.ptr == NULL)
        return ww_err_set(c->err, WW_EUSAGE, "%s:%u: an element wants %s", c->path, n->line,
                          what);
    return ww_err_set(c->err, WW_EUSAGE, "%s:%u: '" WW_STRF "' wants %s", c->path, n->line,
                      WW_STRV(n->key), what);
}

static bool is_kind(enum conf_kind kind, enum cyaml_type type)
{
    return kind == (type == CYAML_SEQUENCE  ? CONF_LIST
                    : type == CYAML_MAPPING ? CONF_MAP
                                            : CONF_SCALAR);
}

static const cyaml_schema_field_t *field_of(const cyaml_schema_field_t *field, ww_str key)
{
    for (; field->key != NULL; field++)
        if (ww_str_eq(ww_str_c(field->key), key))
            return field;
    return NULL;
}

/* A member of a map: known, once, and of the right kind. */
static int check_member(const struct check *c, size_t i, const cyaml_schema_value_t *map,
                        const cyaml_schema_value_t **out)
{
    const struct conf_node *n = &c->doc->node[i];
    const cyaml_schema_field_t *field = field_of(map->mapping.fields, n->key);

    if (field == NULL)
        return unknown_key(c, n, map->mapping.fields);

    size_t first = conf_doc_member(c->doc, n->parent, n->key);

    if (first != i)
        return ww_err_set(c->err, WW_EUSAGE, "%s:%u: '" WW_STRF "' a second time: see line %u",
                          c->path, n->line, WW_STRV(n->key), c->doc->node[first].line);
    *out = &field->value;
    return WW_OK;
}

/* Nodes come after their parents: what[i] is what the schema says of node i. */
static int check_nodes(const struct check *c, const cyaml_schema_value_t *top,
                       const cyaml_schema_value_t **what)
{
    for (size_t i = 0; i < c->doc->nodes; i++) {
        const struct conf_node *n = &c->doc->node[i];

        if (i == 0)
            what[i] = top;
        else if (what[n->parent]->type == CYAML_SEQUENCE)
            what[i] = what[n->parent]->sequence.entry;
        else if (check_member(c, i, what[n->parent], &what[i]) < 0)
            return c->err->code;
        if (!is_kind(n->kind, what[i]->type))
            return wants(c, n, what[i]->type);
        if (n->kind == CONF_SCALAR && n->value.len == 0)
            return wants(c, n, CYAML_STRING);
        if (n->kind == CONF_LIST && n->children > what[i]->sequence.max)
            return ww_err_set(c->err, WW_EUSAGE, "%s:%u: more than %u in one list", c->path,
                              n->line, (unsigned)what[i]->sequence.max);
    }
    return WW_OK;
}

static int check(const char *path, const struct conf_doc *d, const struct schema *s,
                 struct ww_err *err)
{
    const struct check c = { path, d, err };
    const cyaml_schema_value_t **what = ww_xcalloc(d->nodes + 1, sizeof(*what));
    int status = check_nodes(&c, &s->top, what);

    free(what);
    return status;
}

/* ---- loading */

struct complaint {
    char text[256]; /* the first that libcyaml has */
};

static void on_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static void on_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    struct complaint *c = ctx;

    (void)level;
    if (c->text[0] == '\0')
        vsnprintf(c->text, sizeof(c->text), fmt, args);
    c->text[strcspn(c->text, "\n")] = '\0';
}

static const cyaml_config_t *loader(struct complaint *c, cyaml_config_t *out)
{
    *out = (cyaml_config_t){ .log_fn = on_log,
                             .log_ctx = c,
                             .mem_fn = cyaml_mem,
                             .log_level = CYAML_LOG_ERROR,
                             .flags = CYAML_CFG_NO_ALIAS };
    return out;
}

static int load(struct conf *c, ww_str text, struct ww_err *err)
{
    struct complaint complaint = { "" };
    cyaml_config_t config;
    void *data = NULL;
    cyaml_err_t e =
        cyaml_load_data((const uint8_t *)text.ptr, text.len, loader(&complaint, &config),
                        &c->store->schema.top, &data, NULL);

    c->store->content = data;
    if (e == CYAML_OK)
        return WW_OK;
    return ww_err_set(err, WW_EUSAGE, "%s: %s: %s", c->path, cyaml_strerror(e), complaint.text);
}

/* ---- what was loaded, as the rest of the program wants it */

static void add_option(struct conf *c, size_t *cap, const char *name, const char *value,
                       unsigned line)
{
    if (c->options == *cap)
        c->option = ww_grow(c->option, c->options + 1, cap, sizeof(*c->option));
    c->option[c->options++] =
        (struct conf_option){ .name = ww_str_c(name), .value = ww_str_c(value), .line = line };
}

static void take_options(struct conf *c)
{
    const struct conf_doc *d = &c->store->doc;
    size_t cap = 0;

    for (size_t i = 0; options_table[i].name != NULL; i++) {
        const char *name = options_table[i].name;
        size_t node = conf_doc_member(d, 0, ww_str_c(name));

        if (node == CONF_NO_NODE)
            continue;
        if (c->store->content->option[i].scalar != NULL)
            add_option(c, &cap, name, c->store->content->option[i].scalar, d->node[node].line);
        for (size_t k = 0; k < c->store->content->option[i].elements; k++)
            add_option(c, &cap, name, c->store->content->option[i].element[k],
                       d->node[conf_doc_element(d, node, k)].line);
    }
}

static int take_carrier(struct conf *c, const struct conf_item *item, unsigned line,
                        struct ww_err *err)
{
    size_t i = c->carriers++;
    int status = conf_carrier(item, &c->carrier[i], err);

    if (status == WW_OK)
        status = conf_carrier(item, &c->live_carrier[i], err);
    c->carrier_at[i] = (struct conf_carrier_at){ item->pattern, line };
    return status;
}

static int take_item(struct conf *c, const struct conf_list *list, const struct conf_item *item,
                     unsigned line, struct ww_err *err)
{
    int status;

    if (list->kind < 0) {
        status = take_carrier(c, item, line, err);
    } else {
        struct ww_user_rule *r = &c->rule[c->rules];

        status = conf_rule(list, item, r, err);
        if (status == WW_OK) {
            r->where = ww_arena_printf(&c->store->arena, "%s:%u", c->path, line);
            c->rules++;
        }
    }
    return status == WW_OK ? WW_OK : ww_err_wrap(err, "%s:%u", c->path, line);
}

static int take_lists(struct conf *c, struct ww_err *err)
{
    struct content *content = c->store->content;
    size_t all = 0;

    for (size_t i = 0; i < CONF_LISTS; i++)
        all += content->list[i].items;
    c->rule = ww_xcalloc(all + 1, sizeof(*c->rule));
    c->carrier = ww_xcalloc(all + 1, sizeof(*c->carrier));
    c->live_carrier = ww_xcalloc(all + 1, sizeof(*c->live_carrier));
    c->carrier_at = ww_xcalloc(all + 1, sizeof(*c->carrier_at));
    for (size_t i = 0; i < CONF_LISTS; i++) {
        const struct conf_doc *d = &c->store->doc;
        size_t node = conf_doc_member(d, 0, ww_str_c(conf_lists[i].name));

        for (size_t k = 0; k < content->list[i].items; k++) {
            unsigned line = d->node[conf_doc_element(d, node, k)].line;

            if (take_item(c, &conf_lists[i], &content->list[i].item[k], line, err) < 0)
                return err->code;
        }
    }
    return WW_OK;
}

struct conf *conf_parse(const char *path, ww_str text, struct ww_err *err)
{
    struct conf *c = ww_xcalloc(1, sizeof(*c));

    c->path = ww_xstrdup(path);
    c->store = ww_xcalloc(1, sizeof(*c->store));
    ww_arena_init(&c->store->arena, SIZE_MAX);

    int status = conf_doc_read(&c->store->doc, path, text, err);

    if (status == WW_OK && c->store->doc.nodes > 0) {
        schema_init(&c->store->schema, &c->store->doc);
        status = check(path, &c->store->doc, &c->store->schema, err);
        if (status == WW_OK)
            status = load(c, text, err);
        if (status == WW_OK) {
            take_options(c);
            status = take_lists(c, err);
        }
    }
    if (status == WW_OK)
        return c;
    conf_free(c);
    return NULL;
}

void conf_free(struct conf *c)
{
    struct complaint complaint = { "" };
    cyaml_config_t config;

    if (c == NULL)
        return;
    for (size_t i = 0; i < c->carriers; i++) {
        ww_re_free(c->carrier[i].pattern);
        ww_re_free(c->live_carrier[i].pattern);
    }
    if (c->store->content != NULL)
        cyaml_free(loader(&complaint, &config), &c->store->schema.top, c->store->content, 0);
    conf_doc_release(&c->store->doc);
    ww_arena_release(&c->store->arena);
    free(c->store);
    free(c->option);
    free(c->rule);
    free(c->carrier);
    free(c->live_carrier);
    free(c->carrier_at);
    free((char *)(uintptr_t)c->path);
    free(c);
}

/* ---- the file */

static int read_all(int fd, const char *path, struct ww_buf *out, struct ww_err *err)
{
    for (;;) {
        char *room = ww_buf_room(out, 4096);
        ssize_t n = room == NULL ? -1 : read(fd, room, 4096);

        if (room == NULL)
            return ww_err_set(err, WW_EUSAGE, "%s: larger than 1M: no configuration", path);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ww_err_errno(err, errno, "cannot read %s", path);
        if (n == 0)
            return WW_OK;
        out->len += (size_t)n;
    }
}

struct conf *conf_read(const char *path, struct ww_err *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct ww_buf text;
    struct conf *c = NULL;

    if (fd < 0) {
        ww_err_errno(err, errno, "cannot read the configuration %s", path);
        err->code = WW_EUSAGE;
        return NULL;
    }
    ww_buf_init(&text, FILE_MAX + 4096);
    if (read_all(fd, path, &text, err) == WW_OK)
        c = conf_parse(standard ? "standard input" : path, ww_buf_str(&text), err);
    else
        err->code = WW_EUSAGE;
    ww_buf_release(&text);
    if (!standard)
        close(fd);
    return c;
}

bool conf_found(const char **out_why)
{
    struct stat file, directory;

    *out_why = NULL;
    if (stat(CONF_NAME, &file) != 0 || stat(".", &directory) != 0)
        return false;
    if (!S_ISREG(file.st_mode))
        *out_why = "it is no regular file";
    else if ((directory.st_mode & S_IWOTH) != 0 && file.st_uid != geteuid() && file.st_uid != 0)
        *out_why = "it belongs to somebody else, in a directory that is everybody's";
    else if (file.st_uid != geteuid() && file.st_uid != 0 && file.st_uid != directory.st_uid)
        *out_why = "it belongs to somebody else";
    return *out_why == NULL;
}
