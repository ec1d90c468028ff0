# Every target calls pip, by way of nlp_dawn/site/bootstrap.py, and the
# `nlp-dawn` command. Without make (Windows): the same commands, in README.md.
#
#   make book [PORT=8000]   install, build and serve the book on this machine
#   make html [STRICT=1]    install and build it; STRICT=1 fails on a warning
#   make test               install and run every test but those of the site
#   make test-site          test the built site in a browser
#   make install            only install; PYTHON=/path/to/python3.12 to choose
#   make check              what a commit must pass besides the tests
#   make lock               pin the newest versions in requirements.txt
#   make clean              remove what was built, not what was installed

PORT ?= 8000
PYTHON ?=

BIN := .venv/bin
BOOTSTRAP := nlp_dawn/site/bootstrap.py $(if $(PYTHON),--python '$(PYTHON)')

.PHONY: book html test test-site install check lock clean
.DEFAULT_GOAL := book

book: BOOTSTRAP += --port '$(PORT)'
book: install
	$(BIN)/nlp-dawn book build
	$(BIN)/nlp-dawn book serve --port $(PORT)

html: install
	$(BIN)/nlp-dawn book build $(if $(STRICT),--strict)

test: install
	$(BIN)/nlp-dawn test

test-site: install
	$(BIN)/nlp-dawn test --site

# Any Python 3 can run the script, which then looks for one that fits.
install:
	@command -v python3 >/dev/null || { echo "nlp_dawn: there is no python3 \
	on the path; install Python 3.11, 3.12 or 3.13 (Debian and Ubuntu: sudo \
	apt install python3 python3-venv)." >&2; exit 1; }
	@python3 -I $(BOOTSTRAP)

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/nlp-dawn exercises build --check

lock: install
	$(BIN)/uv pip compile --universal --all-extras --upgrade \
	  --custom-compile-command "make lock" \
	  --output-file requirements.txt pyproject.toml

clean:
	rm -rf _build
