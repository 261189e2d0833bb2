package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// MaxBytes is the maximum size of the annotation.
	MaxBytes = 16 << 10
	// maxDepth is the maximum nesting of an annotation. A probe needs five levels.
	maxDepth = 16
	// maxNodes is the maximum number of keys and values of an annotation.
	maxNodes = 2048
)

var errYAML = errors.New("the probe is neither JSON nor YAML")

// toJSON converts an annotation to JSON. Its author is not trusted: aliases can expand
// a few bytes to gigabytes, so references are refused. The limits apply to the tree
// before expansion.
func toJSON(annotation string) (data []byte, err error) {
	if len(annotation) > MaxBytes {
		return nil, fmt.Errorf("the probe has %d bytes; at most %d are allowed", len(annotation), MaxBytes)
	}
	if json.Valid([]byte(annotation)) {
		return []byte(annotation), nil
	}
	root, err := parse(annotation)
	if err != nil {
		return nil, err
	}
	value, err := (&converter{nodes: maxNodes}).convert(root, 0)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// parse parses the only document of an annotation, without expansion. The YAML parser
// returns an error for tabs and the like; if it panics, which would be a defect, the
// process must not end because of one object.
func parse(annotation string) (root *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			root, err = nil, errYAML
		}
	}()
	decoder := yaml.NewDecoder(strings.NewReader(annotation))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %s", errYAML, clip(strings.TrimPrefix(err.Error(), "yaml: ")))
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("the probe has more than one YAML document; it must be one")
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return nil, errYAML
	}
	return document.Content[0], nil
}

// converter converts a YAML tree into the values that encoding/json writes.
type converter struct {
	// nodes is the number of further nodes that are accepted.
	nodes int
}

func (c *converter) convert(node *yaml.Node, depth int) (any, error) {
	if c.nodes--; c.nodes < 0 {
		return nil, fmt.Errorf("the probe has more than %d keys and values", maxNodes)
	}
	switch {
	case depth > maxDepth:
		return nil, fmt.Errorf("the probe nests more than %d levels deep", maxDepth)
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		return nil, fmt.Errorf("line %d: YAML anchors and aliases are not allowed in a probe", node.Line)
	case node.Style&yaml.TaggedStyle != 0:
		return nil, fmt.Errorf("line %d: YAML tags are not allowed in a probe", node.Line)
	}
	switch node.Kind {
	case yaml.MappingNode:
		return c.mapping(node, depth)
	case yaml.SequenceNode:
		return c.sequence(node, depth)
	default:
		return scalar(node)
	}
}

func (c *converter) mapping(node *yaml.Node, depth int) (any, error) {
	fields := make(map[string]any, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" {
			return nil, fmt.Errorf("line %d: YAML merge keys are not allowed in a probe", key.Line)
		}
		if _, err := c.convert(key, depth+1); err != nil {
			return nil, err
		}
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a key must be a text", key.Line)
		}
		if _, twice := fields[key.Value]; twice {
			return nil, fmt.Errorf("line %d: the key %q is already set", key.Line, clip(key.Value))
		}
		value, err := c.convert(node.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		fields[key.Value] = value
	}
	return fields, nil
}

func (c *converter) sequence(node *yaml.Node, depth int) (any, error) {
	items := make([]any, 0, len(node.Content))
	for _, item := range node.Content {
		value, err := c.convert(item, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, value)
	}
	return items, nil
}

// scalar returns a string, unless the value has another type that a probe can have.
func scalar(node *yaml.Node) (any, error) {
	switch node.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var value bool
		err := node.Decode(&value)
		return value, err
	case "!!int":
		var value int64
		if err := node.Decode(&value); err != nil {
			return nil, fmt.Errorf("line %d: %q is no number that a probe can have", node.Line, clip(node.Value))
		}
		return value, nil
	case "!!float":
		// No field of a probe has this type. The JSON decoder reports where it is.
		if number := json.Number(node.Value); json.Valid([]byte(number)) {
			return number, nil
		}
		return node.Value, nil
	default:
		return node.Value, nil
	}
}
