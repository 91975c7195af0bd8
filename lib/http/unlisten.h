/*
 * The end of listening that loses nobody.
 *
 * A connection that the kernel has made and nobody has accepted is reset with its listening socket,
 * and the request that its client has sent is lost. So no more are made at first, then those that
 * wait are accepted, then the socket is closed. Clients that come from then on are refused, and
 * know that nothing of theirs was read.
 */
#ifndef PGBOOST_HTTP_UNLISTEN_H
#define PGBOOST_HTTP_UNLISTEN_H

#include <microhttpd.h>
#include <stdbool.h>

/* Before any client is told that its connection ends, so that the one it makes then is refused.
 * What waits at an inherited socket is left to the next daemon. Takes 0.3 s at most. */
void unlisten(struct MHD_Daemon *mhd, bool is_inherited);

#endif
