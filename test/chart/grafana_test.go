package chart

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// misspelled are mistakes in the dashboard that Grafana would ignore silently. Each
// replaces one text.
var misspelled = []struct{ where, right, wrong string }{
	{"the dashboard", `"graphTooltip":`, `"graphTooltp":`},
	{"a row", `"collapsed":`, `"colapsed":`},
	{"a panel", `"description": "Replicas`, `"details": "Replicas`},
	{"the type of a panel", `"type": "timeseries"`, `"type": "timeserie"`},
	{"the place of a panel", `"w": 4`, `"width": 4`},
	{"a field", `"unit":`, `"units":`},
	{"a threshold", `"color": "red"`, `"colour": "red"`},
	{"a line", `"lineWidth":`, `"lineWith":`},
	{"the kind of a line", `"drawStyle": "line"`, `"drawStyle": "lines"`},
	{"an option of a number", `"colorMode":`, `"colourMode":`},
	{"a value of an option", `"graphMode": "none"`, `"graphMode": "non"`},
	{"an option within another", `"showLegend":`, `"showLegends":`},
	{"a query", `"legendFormat":`, `"legendFormt":`},
	{"a number in the place of a name", `"refId": "A"`, `"refId": 1`},
	{"a variable", `"definition":`, `"defined":`},
	{"an annotation", `"iconColor":`, `"iconColour":`},
}

// The test compiles the dashboard as a value of the types of Grafana's SDK. It also
// compiles each misspelled dashboard, which shows that the compiler detects such mistakes.
func TestTheDashboardFitsGrafanasTypes(t *testing.T) {
	text := readFile(t, dashboardFile)
	boards := map[string]string{"right.ts": text}
	for i, m := range misspelled {
		wrong := strings.Replace(text, m.right, m.wrong, 1)
		if wrong == text {
			t.Errorf("%s: the dashboard has no %s", m.where, m.right)
		}
		boards[fmt.Sprintf("wrong-%d.ts", i)] = wrong
	}
	problems := compile(t, boards)
	if found := problems["right.ts"]; len(found) > 0 {
		t.Errorf("Grafana's types do not allow:\n%s", strings.Join(found, "\n"))
	}
	for i, m := range misspelled {
		if len(problems[fmt.Sprintf("wrong-%d.ts", i)]) <= len(problems["right.ts"]) {
			t.Errorf("%s: the compiler accepts %s", m.where, m.wrong)
		}
	}
}

// compile returns the errors of the TypeScript compiler for each dashboard, given as JSON.
func compile(t *testing.T, boards map[string]string) map[string][]string {
	t.Helper()
	if testing.Short() {
		t.Skip("left out: -short installs no types of Grafana")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("left out: %s is not installed, and Grafana's types come as a package of npm", program)
		}
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("testdata", "grafana"))); err != nil {
		t.Fatal(err)
	}
	arguments := []string{"node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--pretty", "false",
		"--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"}
	for name, board := range boards {
		source := "import type { Board } from \"./board\";\nexport const board: Board = " + board
		if err := os.WriteFile(filepath.Join(folder, name), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, name)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	check := exec.CommandContext(t.Context(), "node", arguments...)
	check.Dir = folder
	out, err := check.Output()
	problems := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		// Such as: right.ts(12,3): error TS2353: ...
		if name, _, found := strings.Cut(line, "("); found && boards[name] != "" {
			problems[name] = append(problems[name], strings.TrimSpace(line))
		}
	}
	if err != nil && len(problems) == 0 {
		t.Fatalf("tsc: %v\n%s", err, out)
	}
	return problems
}
