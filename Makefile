# make demo   makes the environment in .venv and runs examples/hello
# make test   makes the environment, installs what the tests need, checks everything and runs all tests
# make faults N=20   runs the fault tests so many times, each time with another seed
# make simulate STEPS=1000000 SEED=7   runs a simulated farm through crashes and a bad network for so long
# make soak MINUTES=10 SEED=7   keeps a farm at work for so long while its controller and workers are killed at random
# make bench  prints what Outspread costs, beside the yardsticks of the machine
# make format puts the code into the one form

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check unit faults simulate soak bench format clean

STEPS := 1000000
N := 20
MINUTES := 10

demo: $(READY)
	@sh tools/demo.sh $(BIN)

test: $(READY)
	@sh tools/debian-packages.sh
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest $(PYTEST_ARGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

faults: $(READY)
	@for number in $$(seq $(N)); do \
	    seed=$$(od -An -N3 -tu4 /dev/urandom | tr -d ' '); echo "round $$number of $(N), seed $$seed"; \
	    OUTSPREAD_FAULT_SEED=$$seed $(BIN)/pytest -x tests/faults || exit 1; \
	done

simulate: $(READY)
	@$(BIN)/python -m tests.simulation --steps $(STEPS) $(if $(SEED),--seed $(SEED))

soak: $(READY)
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

bench: $(READY)
	@$(BIN)/python -m bench

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(READY): requirements.lock pyproject.toml tools/make-venv.sh
	@sh tools/make-venv.sh $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .import_linter_cache
