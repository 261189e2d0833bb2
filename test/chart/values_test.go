package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// value is one value of the chart: its path, its default (empty if its parts have their own
// rows), and the comment above it.
type value struct {
	path, fallback, meaning string
}

// values reads values.yaml with its comments. A mapping with fixed keys has a row for each
// key, one with free keys has a single row.
func values(t *testing.T) []value {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(readFile(t, chartDir+"/values.yaml")), &document); err != nil {
		t.Fatal(err)
	}
	return collect(t, "", document.Content[0])
}

func collect(t *testing.T, prefix string, mapping *yaml.Node) []value {
	t.Helper()
	var found []value
	for i := 0; i < len(mapping.Content); i += 2 {
		key, node := mapping.Content[i], mapping.Content[i+1]
		path := prefix + key.Value
		if node.Kind == yaml.MappingNode && len(node.Content) > 0 {
			if meaning := comment(key.HeadComment); meaning != "" {
				found = append(found, value{path: path, meaning: meaning})
			}
			found = append(found, collect(t, path+".", node)...)
			continue
		}
		found = append(found, value{path, fallback(t, node), comment(key.HeadComment)})
	}
	return found
}

// fallback formats the default like an argument of --set-json.
func fallback(t *testing.T, node *yaml.Node) string {
	t.Helper()
	var decoded any
	if err := node.Decode(&decoded); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// comment returns the last paragraph above a key, on one line.
func comment(head string) string {
	paragraphs := strings.Split(head, "\n\n")
	var words []string
	for line := range strings.Lines(paragraphs[len(paragraphs)-1]) {
		words = append(words, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#")))
	}
	return strings.Join(words, " ")
}

const (
	tableBegin = "<!-- values: generated from values.yaml, see test/chart -->\n"
	tableEnd   = "<!-- end of values -->\n"
)

func TestTheTableOfValuesIsCurrent(t *testing.T) {
	const page = root + "/docs/configure.md"
	var table strings.Builder
	table.WriteString("\n| Value | Default | Meaning |\n| --- | --- | --- |\n")
	for _, v := range values(t) {
		if v.meaning == "" {
			t.Errorf("%s has no comment in values.yaml", v.path)
		}
		fallback := v.fallback
		if fallback != "" {
			fallback = "`" + fallback + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", v.path, fallback, strings.ReplaceAll(v.meaning, "|", `\|`))
	}
	table.WriteString("\n")
	have := readFile(t, page)
	before, rest, ok := strings.Cut(have, tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatalf("%s has no marks for the table of values", page)
	}
	want := before + tableBegin + table.String() + tableEnd + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("the table is stale; run go test ./... -update (-want +got):\n%s", diff)
	}
}

// valueSchema is the part of JSON Schema that values.schema.json uses for objects.
type valueSchema struct {
	Properties           map[string]valueSchema `json:"properties"`
	AdditionalProperties any                    `json:"additionalProperties"`
}

func TestTheSchemaKnowsExactlyTheValues(t *testing.T) {
	var top valueSchema
	if err := json.Unmarshal([]byte(readFile(t, chartDir+"/values.schema.json")), &top); err != nil {
		t.Fatal(err)
	}
	var all any
	if err := yaml.Unmarshal([]byte(readFile(t, chartDir+"/values.yaml")), &all); err != nil {
		t.Fatal(err)
	}
	delete(top.Properties, "global") // Helm's own
	compare(t, "", top, all.(map[string]any))
}

// compare descends as long as the schema names its keys.
func compare(t *testing.T, path string, s valueSchema, values map[string]any) {
	t.Helper()
	if s.AdditionalProperties != false {
		t.Errorf("the schema of %q accepts unknown keys", path)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		property, known := s.Properties[key]
		if !known {
			t.Errorf("%s%s is in values.yaml and not in the schema", path, key)
			continue
		}
		if below, ok := values[key].(map[string]any); ok && property.Properties != nil && key != "resources" {
			compare(t, path+key+".", property, below)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		if _, known := values[key]; !known {
			t.Errorf("%s%s is in the schema and not in values.yaml", path, key)
		}
	}
}
