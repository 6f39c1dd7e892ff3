/* cli: the configuration file: YAML, checked against the options table and the lists of rules.
 */
#ifndef WW_CONF_H
#define WW_CONF_H

#include <whichworker/err.h>
#include <whichworker/judge.h>

/* The file that is read without being named, if it is there. */
#define CONF_NAME "whichworker.yaml"

/* An option as the file has it. */
struct conf_option {
    ww_str name;
    ww_str value;
    unsigned line;
};

struct conf_carrier_at {
    const char *pattern; /* NULL: it has none */
    unsigned line;
};

/* A file that was read. Owns all that its slices point at. */
struct conf {
    const char *path; /* as the user gave it; owned */
    struct conf_option *option;
    size_t options; /* a list gives one for each element */
    struct ww_user_rule *rule;
    size_t rules;
    struct ww_carrier *carrier;
    struct ww_carrier
        *live_carrier; /* the same, for another thread: a pattern is used by one */
    struct conf_carrier_at *carrier_at; /* of each: where it stands, and its pattern's text */
    size_t carriers;
    struct conf_store *store;
};

/*
 * Reads and checks a file; "-" is standard input. What is wrong is said with file and line,
 * with what was probably meant, or what is allowed: WW_EUSAGE. The values of options are not
 * looked at (option_set does). NULL on failure.
 */
struct conf *conf_read(const char *path, struct ww_err *err);

/* The same of a text. */
struct conf *conf_parse(const char *path, ww_str text, struct ww_err *err);
void conf_free(struct conf *c); /* NULL is fine */

/*
 * Whether ./whichworker.yaml is there and may be read unasked. It may not where it belongs to
 * somebody who is neither us nor root, unless that one owns the directory and nobody else can
 * write there: then *out_why says so. True: it is.
 */
bool conf_found(const char **out_why);

/* The lists of rules and their keys, as Markdown. */
struct ww_buf;
void conf_markdown(struct ww_buf *out);

#endif
