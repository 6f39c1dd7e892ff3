/* attrib: who descends from whom, and what /proc/net says about listening sockets. */
#ifndef WW_ATTRIB_TREE_H
#define WW_ATTRIB_TREE_H

#include <whichworker/addr.h>

/* Is pid below ancestor, at any depth? root is the directory of /proc. */
WW_MUST bool tree_is_below(int root, int32_t pid, int32_t ancestor);

/* One line of /proc/net/tcp, tcp6 or unix. False: no listening stream socket. */
WW_MUST bool tree_read_tcp(ww_str line, uint64_t *out_inode, struct ww_addr *out_addr);
WW_MUST bool tree_read_unix(ww_str line, uint64_t *out_inode, struct ww_addr *out_addr);

#endif
