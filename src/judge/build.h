/* judge: a view under construction: what the files share that take bodies apart. */
#ifndef WW_JUDGE_BUILD_H
#define WW_JUDGE_BUILD_H

#include "normal.h"

#define LEAVES_MAX 8192 /* scalars of a body; with more it counts as cut */
#define PATH_BYTES 512u

struct build {
    struct normal *n;
    struct view view; /* its vectors are lent by n until it is done */
    struct ww_buf path;
    size_t depth;
};

/* Adds a scalar with its tokens; sets view.cut if there is no more room. */
void ww_build_leaf(struct build *b, ww_str path, ww_str value);

/* Adds a member's name, as something that the view shows. */
void ww_build_name(struct build *b, ww_str name);

/* A text ends: no phrase goes on behind it. */
void ww_build_break(struct build *b);

/* Takes JSON apart. False where it is none: the build is to be begun again then. */
WW_MUST bool ww_build_json(struct build *b, ww_str text);

/* Takes a text apart, markup or not. */
void ww_build_text(struct build *b, ww_str type, ww_str text);

#endif
