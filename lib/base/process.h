/*
 * What each program sees to before anything else.
 */
#ifndef PGBOOST_BASE_PROCESS_H
#define PGBOOST_BASE_PROCESS_H

/* Standard input, output and error are descriptors of their own: where one comes closed, the next
 * socket would get its number, and what is printed. They stay unusable, as they came. A file at its
 * limit (setrlimit) is an error of write, and no signal. */
void process_begin(void);

#endif
