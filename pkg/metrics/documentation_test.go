package metrics

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
)

var update = flag.Bool("update", false, "write docs/metrics.md instead of only comparing it")

const documentationIntroduction = `# Metrics

Generated from the code: change the descriptions in pkg/metrics, then run
` + "`go test ./pkg/metrics -run TestDocumentation -update`" + `.

All durations are in seconds. Histograms have classic buckets and, for
scrapers that negotiate the protobuf format, native ones. No series carries the
name of an object of the cluster. Beside the metrics below there are the usual
` + "`go_*` and `process_*`" + ` metrics of the Prometheus client library.
`

// documentation renders the gathered metrics as Markdown. Each must have been observed at
// least once. The advice comes from the descriptions.
func documentation(gathered []*dto.MetricFamily, families []family) string {
	advice := map[string]string{}
	for _, family := range families {
		advice[family.name] = family.advice
	}
	var page strings.Builder
	page.WriteString(documentationIntroduction)
	for _, section := range []struct{ title, prefix string }{
		{"The controller", "external_workload_"},
		{"Work queues", "workqueue_"},
		{"Requests to the API server", "rest_client_"},
	} {
		fmt.Fprintf(&page, "\n## %s\n\n| Name | Type | Labels | Meaning | What to do |\n| --- | --- | --- | --- | --- |\n", section.title)
		for _, family := range gathered {
			if !strings.HasPrefix(family.GetName(), section.prefix) {
				continue
			}
			fmt.Fprintf(&page, "| `%s` | %s | %s | %s | %s |\n", family.GetName(),
				strings.ToLower(family.GetType().String()), labelNames(family),
				markdown(family.GetHelp()), markdown(advice[family.GetName()]))
		}
	}
	return page.String()
}

func labelNames(family *dto.MetricFamily) string {
	var names []string
	for _, label := range family.GetMetric()[0].GetLabel() {
		names = append(names, "`"+label.GetName()+"`")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// markdown escapes characters that Markdown would read as HTML or as the end of a cell.
func markdown(text string) string {
	return strings.NewReplacer("<", "&lt;", "|", "\\|").Replace(text)
}

func TestDocumentationIsCurrent(t *testing.T) {
	m, registry := newMetrics()
	exercise(m)
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := documentation(gathered, m.families)
	path := filepath.Join("..", "..", "docs", "metrics.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the test with -update", err)
	}
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("docs/metrics.md is stale, run the test with -update (-want +got):\n%s", diff)
	}
}

func TestEveryDescribedMetricIsDocumented(t *testing.T) {
	m, registry := newMetrics()
	exercise(m)
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	page := documentation(gathered, m.families)
	for _, family := range m.families {
		if !strings.Contains(page, "| `"+family.name+"` |") {
			t.Errorf("%s is missing: observe it in the test and give it a section", family.name)
		}
	}
}
