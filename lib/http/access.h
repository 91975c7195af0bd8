/*
 * What is noted of each request when its answer is ready: its series of stats.h, a line in the log
 * when it failed by the server's fault, and one when it was slow.
 *
 * Time runs from the head to the answer, the body's way here included and the answer's way back
 * not. No row's values are logged. Inside lib/http only.
 */
#ifndef PGBOOST_HTTP_ACCESS_H
#define PGBOOST_HTTP_ACCESS_H

struct exchange;

void access_begin(struct exchange *exchange); /* its clock */
void access_note(struct exchange *exchange);  /* reply.status is what is sent */

#endif
