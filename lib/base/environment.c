#include "base/environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

static bool is_among(const char *entry, const struct variable *variables, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(variables[i].name);

        if (strncmp(entry, variables[i].name, length) == 0 && entry[length] == '=')
            return true;
    }
    return false;
}

static char *join(struct arena *arena, const struct variable *variable)
{
    size_t size = strlen(variable->name) + strlen(variable->value) + 2;
    char *text = arena_alloc(arena, size);

    if (text != NULL)
        snprintf(text, size, "%s=%s", variable->name, variable->value);
    return text;
}

char **environment_with(struct arena *arena, const struct variable *variables, size_t n)
{
    size_t n_own = 0, at = 0;
    char **environment;

    while (environ[n_own] != NULL)
        n_own++;
    environment = arena_alloc_array(arena, n_own + n + 1, sizeof(char *));
    if (environment == NULL)
        return NULL;
    for (size_t i = 0; i < n_own; i++) {
        if (is_among(environ[i], variables, n))
            continue;
        environment[at] = arena_strdup(arena, environ[i]);
        if (environment[at++] == NULL)
            return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (variables[i].value == NULL)
            continue;
        environment[at] = join(arena, &variables[i]);
        if (environment[at++] == NULL)
            return NULL;
    }
    environment[at] = NULL;
    return environment;
}
