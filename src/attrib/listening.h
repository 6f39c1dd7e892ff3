/* attrib: the listening sockets of an upstream, described. */
#ifndef WW_ATTRIB_LISTENING_H
#define WW_ATTRIB_LISTENING_H

#include <whichworker/examine.h>

struct ww_sockdiag;

/* Fills in the listeners of e->upstream, all but who holds them. 0, or the errno with which the
 * kernel refused to tell; ENOENT: it cannot tell of this family. */
int ww_listening_describe(struct ww_exam *e, struct ww_sockdiag *d);

#endif
