# pgboost
#
#   make              build/bin/pgboostd, pgboost, pgboost-worker
#   make test         unit tests, a few seconds of the fuzzers, then end-to-end tests against a
#                     private Postgres
#   make check        what can be checked without running anything: includes, format and scripts
#                     (the latter two where clang-format and shellcheck are installed)
#   make demo         ./scripts/demo
#   make bench        POST /predict under load
#   make bench-serve  … beside what the HTTP library can answer at all, and beside Python (long)
#   make bench-swap   deployments while /predict is under load
#   make bench-scale  a thousand projects in one daemon
#   make bench-tail   the latency of /predict while a run trains
#   make bench-load   relation to model on three million flights, beside COPY and pandas (long)
#   make bench-score  a relation into a table, beside COPY, pandas and plpython3u (long)
#   make bench-search the search beside Optuna's, on nine data sets (long)
#   make bench-lookup predictions by key beside pgbench, rankings beside Python (long)
#   make bench-forest the evaluator of trees beside XGBoost's
#   make prove-forest every objective and algorithm against XGBoost on many rows (long)
#   make soak         kills, stops, restarts, cut links and due times, hundreds of each (long)
#   make e2e-pooled   the end-to-end tests through a pgbouncer in transaction mode (long)
#   make json-suite   JSONTestSuite's 318 files against POST /predict; SUITE= a checkout of it
#   make fuzz         fuzzers (long); fuzz-short is the part of them that belongs to make test
#   make install      into DESTDIR/PREFIX, with man pages, units and completion
#   make uninstall    removes what it copied; with the same DESTDIR, PREFIX and UNITDIR
#   make deb          a Debian package of what is committed
#   make clean
#
# Variables: SANITIZE=address,undefined or thread; DEVELOPER=1 makes warnings errors;
# BUILD= another folder; E2E_JOBS= files of end-to-end tests beside each other; V=1 shows commands.

BUILD ?= build
PREFIX ?= $(or $(prefix),/usr/local)
CC ?= cc
PYTHON ?= /usr/bin/python3

# The modules in the order of their dependence: each includes only what stands before it.
# scripts/check-includes reads this line.
MODULES := base schedule config pg frame feature split metric forest catalog model score xgb search train registry lookup predict http
PROGRAMS := pgboostd pgboost pgboost-worker

PACKAGES := libpq libcjson libcrypto
PACKAGES_HTTP := libmicrohttpd gnutls liburcu-bp zlib
VERSION := $(shell cat VERSION)

CPPFLAGS += -D_GNU_SOURCE -DPGBOOST_VERSION='"$(VERSION)"' -Ilib $(shell pkg-config --cflags $(PACKAGES) $(PACKAGES_HTTP))
# -ffp-contract=off: predictions must not depend on whether the compiler fuses multiply and add.
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 -ffp-contract=off -fno-common -fstack-protector-strong -pthread \
	-Wall -Wextra -Wmissing-prototypes -Wshadow -Wformat=2 -Wno-format-nonliteral -Wno-format-zero-length $(CFLAGS)
ALL_LDFLAGS := -pthread -Wl,--as-needed $(LDFLAGS)
LIBS := $(shell pkg-config --libs $(PACKAGES)) -lm
LIBS_HTTP := $(shell pkg-config --libs $(PACKAGES_HTTP))
LIBS_CURL := $(shell pkg-config --libs libcurl)
LIBS_XGBOOST := -lxgboost

ifeq ($(DEVELOPER),1)
ALL_CFLAGS += -Werror
endif
ifneq ($(SANITIZE),)
ALL_CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=$(SANITIZE)
endif
ifneq ($(V),1)
Q := @
say = @printf '  %-8s%s\n' $(1) $(2)
endif

archive = $(BUILD)/lib/$(1).a
reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
# The archives of a module and of all before it, in link order.
upto = $(call reverse,$(call upto_,$(1),$(MODULES)))
upto_ = $(if $(2),$(firstword $(2)) $(if $(filter $(1),$(firstword $(2))),,$(call upto_,$(1),$(wordlist 2,$(words $(2)),$(2)))))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard $(1))))

ARCHIVES := $(foreach m,$(MODULES),$(call archive,$(m)))
BINARIES := $(PROGRAMS:%=$(BUILD)/bin/%)

.PHONY: all
all: $(BINARIES)

# Compiler flags are a dependency: another SANITIZE rebuilds.
FLAGS := $(CC) $(ALL_CFLAGS) $(CPPFLAGS) $(ALL_LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS))' > $@
.PHONY: FORCE
FORCE:

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP -MT $@ -c -o $@ $<

# The catalog's migrations travel inside the programs.
MIGRATIONS := $(sort $(wildcard migrations/*.sql))
$(BUILD)/gen/embedded_migrations.c: $(MIGRATIONS) scripts/embed-migrations
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)scripts/embed-migrations $(MIGRATIONS) > $@.tmp && mv $@.tmp $@
$(BUILD)/obj/gen/embedded_migrations.o: $(BUILD)/gen/embedded_migrations.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP -MT $@ -c -o $@ $<
extra_catalog := $(BUILD)/obj/gen/embedded_migrations.o

define module_rule
$(call archive,$(1)): $(call objects,lib/$(1)/*.c) $(extra_$(1))
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module_rule,$(m))))

link = $(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)

archives = $(foreach m,$(call upto,$(1)),$(call archive,$(m)))
$(BUILD)/bin/pgboostd: $(call objects,cmd/pgboostd/*.c) $(call archives,http)
	$(call say,LINK,$@)
	$(link) $(LIBS) $(LIBS_HTTP)
$(BUILD)/bin/pgboost: $(call objects,cmd/pgboost/*.c) $(call archives,predict)
	$(call say,LINK,$@)
	$(link) $(LIBS) $(LIBS_CURL)
$(BUILD)/bin/pgboost-worker: $(call objects,cmd/pgboost-worker/*.c) $(call archives,train)
	$(call say,LINK,$@)
	$(link) $(LIBS) $(LIBS_XGBOOST)

# Unit tests: tests/unit/MODULE/test_*.c, one binary each, linked with MODULE and what is before it.
UNIT_SOURCES := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_TESTS := $(UNIT_SOURCES:%.c=$(BUILD)/%)
LIBS_UNIT := $(shell pkg-config --silence-errors --libs cmocka)
define unit_rule
$(BUILD)/tests/unit/$(1)/%: $(BUILD)/obj/tests/unit/$(1)/%.o $(call archives,$(1))
	$$(call say,LINK,$$@)
	$$(link) $(LIBS) $(LIBS_HTTP) $(if $(filter xgb train,$(1)),$(LIBS_XGBOOST)) $(LIBS_UNIT)
endef
$(foreach m,$(MODULES),$(eval $(call unit_rule,$(m))))
.SECONDARY:

.PHONY: unit
unit: $(UNIT_TESTS)
	$(Q)PYTHON=$(PYTHON) scripts/run-units $(UNIT_TESTS)

# One test: make unit-one T=base/test_json
.PHONY: unit-one
unit-one: $(BUILD)/tests/unit/$(T)
	$(Q)$<

# What the unit test of the forest does on few rows, on ROWS for each of its models, as a table.
ROWS ?= 100000
.PHONY: prove-forest
prove-forest: $(BUILD)/tests/unit/forest/test_forest
	$(Q)FOREST_ROWS=$(ROWS) $<

# Files of tests beside each other, one more than processors, as tests mostly wait; those of T one after
# another, in one process: that one sees what they print with PYTEST_ARGS=-s.
E2E_JOBS ?= $(if $(T),0,$(shell echo $$(($$(nproc) + 1))))
.PHONY: e2e
e2e: all bench-tools
	$(Q)BUILD=$(abspath $(BUILD)) $(PYTHON) -m pytest -q $(if $(filter-out 0,$(E2E_JOBS)),-n $(E2E_JOBS) --maxprocesses 8 --dist loadfile) \
		$(PYTEST_ARGS) $(or $(T),tests/e2e)

.PHONY: e2e-pooled
e2e-pooled: PYTEST_ARGS += --pooler
e2e-pooled: e2e

# What these files do a few times in the tests: make soak SOAK=0.1 for a tenth of it.
SOAK ?= 1
SOAK_TESTS := $(addprefix tests/e2e/test_,soak.py drain.py haproxy.py hygiene.py security.py)
.PHONY: soak
soak: all
	$(Q)SOAK=$(SOAK) BUILD=$(abspath $(BUILD)) $(PYTHON) -m pytest -q -s --durations=0 $(PYTEST_ARGS) $(SOAK_TESTS)

# Its files are fetched, unless SUITE is a folder that has them.
.PHONY: json-suite
json-suite: all
	$(Q)BUILD=$(abspath $(BUILD)) $(PYTHON) tests/conformance/json-suite $(SUITE)

# Memory errors in the encoder and the evaluator, by valgrind.
.PHONY: valgrind
valgrind: $(filter $(BUILD)/tests/unit/feature/% $(BUILD)/tests/unit/forest/%,$(UNIT_TESTS))
	$(Q)for t in $^; do valgrind -q --error-exitcode=99 --leak-check=full $$t || exit 1; done

# Fuzzers, tests/fuzz/fuzz_*.c, with the inputs they start from. FUZZ_ENGINE is clang's -fsanitize=fuzzer,
# or empty: then they replay the inputs they are given. scripts/fuzz builds and runs them.
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_ENGINE ?=
fuzz_archives := $(foreach m,http predict lookup registry search xgb model catalog forest metric split feature frame pg config schedule base,$(call archive,$(m)))
$(FUZZERS): $(BUILD)/%: $(BUILD)/obj/%.o $(if $(FUZZ_ENGINE),,$(BUILD)/obj/tests/fuzz/replay.o) $(fuzz_archives)
	$(call say,LINK,$@)
	$(link) $(FUZZ_ENGINE) $(LIBS) $(LIBS_HTTP) $(LIBS_XGBOOST)
$(BUILD)/tests/fuzz/seeds: $(BUILD)/obj/tests/fuzz/seeds.o $(fuzz_archives)
	$(call say,LINK,$@)
	$(link) $(LIBS) $(LIBS_HTTP) $(LIBS_XGBOOST)
.PHONY: fuzzers
fuzzers: $(FUZZERS) $(BUILD)/tests/fuzz/seeds

# Each for SECONDS, two at a time: make fuzz SECONDS=600 FUZZ="copy json". Needs clang.
SECONDS ?= 30
.PHONY: fuzz
fuzz:
	+$(Q)BUILD=$(BUILD) scripts/fuzz --seconds $(SECONDS) $(FUZZ)

# A few seconds from a fixed seed; without clang, only the inputs they start from.
.PHONY: fuzz-short
fuzz-short:
	+$(Q)BUILD=$(BUILD) scripts/fuzz --short

.PHONY: test
test: check unit fuzz-short e2e

.PHONY: check
check:
	$(Q)scripts/check-includes
	$(Q)if command -v clang-format > /dev/null; then \
		git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror && echo 'format: clean'; fi
	$(Q)if command -v shellcheck > /dev/null; then \
		git ls-files scripts .ci tests/bench packaging | xargs grep -lE '^#!.*(sh|bash)$$' | xargs shellcheck && \
		echo 'scripts: clean'; fi

.PHONY: demo
demo:
	$(Q)scripts/demo

.PHONY: bench
bench: all
	$(Q)tests/bench/bench-predict

# make bench-forest BENCH_ARGS='--rounds 100 --json'
BENCH_FOREST := $(BUILD)/tests/bench/forest/bench_forest
$(BENCH_FOREST): $(BUILD)/obj/tests/bench/forest/bench_forest.o $(call archives,forest)
	$(call say,LINK,$@)
	$(link) $(LIBS) $(LIBS_XGBOOST)
.PHONY: bench-forest
bench-forest: $(BENCH_FOREST)
	$(Q)BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/bench-forest $(BENCH_ARGS)

# POST /predict beside the HTTP library alone and beside Python: make bench-serve BENCH_ARGS=--callgrind
BENCH_TOOLS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/bench/serve/*.c))
$(BENCH_TOOLS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o
	$(call say,LINK,$@)
	$(link) $(LIBS_HTTP) -lm

.PHONY: bench-tools bench-serve bench-swap bench-scale bench-tail
bench-tools: $(BENCH_TOOLS) $(BENCH_FOREST)
bench-serve: all bench-tools
	$(Q)BUILD=$(abspath $(BUILD)) tests/bench/bench-serve $(BENCH_ARGS)
bench-swap bench-scale: all
	$(Q)BUILD=$(abspath $(BUILD)) tests/bench/$@ $(BENCH_ARGS)
bench-tail: all bench-tools
	$(Q)BUILD=$(abspath $(BUILD)) tests/bench/$@ $(BENCH_ARGS)

# make bench-lookup BENCH_ARGS=--short
.PHONY: bench-lookup
bench-lookup: all bench-tools
	$(Q)BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/bench-lookup $(BENCH_ARGS)

# make bench-load BENCH_ARGS='--rows 100000 --rounds 1'
.PHONY: bench-load
bench-load: all
	$(Q)BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/bench-load $(BENCH_ARGS)

# make bench-score BENCH_ARGS='--rows 100000 --rounds 1'
.PHONY: bench-score
bench-score: all
	$(Q)BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/bench-score $(BENCH_ARGS)

# make bench-search BENCH_ARGS='--datasets movies,digits --repeat 3', or BENCH_ARGS=--workers
.PHONY: bench-search
bench-search: all
	$(Q)BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/bench-search $(BENCH_ARGS)

.PHONY: format
format:
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

# The pages are made from what the programs say of themselves.
MAN_PAGES := $(patsubst packaging/man/%.in,$(BUILD)/man/%,$(wildcard packaging/man/*.in))
$(MAN_PAGES): $(BUILD)/man/%: packaging/man/%.in packaging/man/make-man $(BINARIES)
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)packaging/man/make-man $* $(BUILD)/bin > $@.tmp && mv $@.tmp $@
.PHONY: man
man: $(MAN_PAGES)

UNITDIR ?= $(PREFIX)/lib/systemd/system
destination = $(DESTDIR)$(PREFIX)
.PHONY: install install-files
install: all man
	$(Q)$(MAKE) --no-print-directory install-files

# What is built already, as it is.
install-files:
	install -d $(destination)/bin $(destination)/share/pgboost/models $(destination)/share/man/man1 \
		$(destination)/share/man/man5 $(destination)/share/man/man8 $(DESTDIR)$(UNITDIR) \
		$(destination)/share/bash-completion/completions $(destination)/lib/sysusers.d
	install -m 755 $(BINARIES) $(destination)/bin
	install -m 644 models/README.md $(wildcard models/*.json) $(destination)/share/pgboost/models
	$(Q)for page in $(MAN_PAGES); do \
		install -m 644 $$page $(destination)/share/man/man$${page##*.} || exit 1; done
	$(Q)for unit in packaging/systemd/*; do \
		sed 's|@bindir@|$(PREFIX)/bin|' $$unit > $(DESTDIR)$(UNITDIR)/$${unit##*/} && \
		chmod 644 $(DESTDIR)$(UNITDIR)/$${unit##*/} || exit 1; done
	install -m 644 packaging/sysusers/pgboost.conf $(destination)/lib/sysusers.d
	install -m 644 packaging/completion/pgboost $(destination)/share/bash-completion/completions
	ln -sf pgboost $(destination)/share/bash-completion/completions/pgboostd
	ln -sf pgboost $(destination)/share/bash-completion/completions/pgboost-worker

# What install copies, by its names; folders of others, configuration and state stay.
.PHONY: uninstall
uninstall:
	rm -f $(PROGRAMS:%=$(destination)/bin/%) $(destination)/lib/sysusers.d/pgboost.conf \
		$(foreach page,$(notdir $(MAN_PAGES)),$(destination)/share/man/man$(patsubst .%,%,$(suffix $(page)))/$(page)) \
		$(patsubst packaging/systemd/%,$(DESTDIR)$(UNITDIR)/%,$(wildcard packaging/systemd/*)) \
		$(PROGRAMS:%=$(destination)/share/bash-completion/completions/%)
	rm -rf $(destination)/share/pgboost

# A Debian package of what is committed, in BUILD/deb; needs debhelper, and lintian to look at it.
.PHONY: deb
deb:
	$(Q)BUILD=$(BUILD) scripts/make-deb

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
