package traefik

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
)

// selecting is the manifests of the conformance tests, except that a Service without a
// selector selects the machines. So the controller writes slices for it.
type selecting struct{ fs.FS }

// ReadFile is for fs.ReadFile.
func (s selecting) ReadFile(name string) ([]byte, error) {
	original, err := fs.ReadFile(s.FS, name)
	if err != nil {
		return nil, err
	}
	var changed bytes.Buffer
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(original), len(original))
	for {
		var object unstructured.Unstructured
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return changed.Bytes(), nil
		} else if err != nil {
			return nil, err
		}
		if err := addSelector(&object); err != nil {
			return nil, err
		}
		document, err := json.Marshal(&object)
		if err != nil {
			return nil, err
		}
		changed.WriteString("---\n")
		changed.Write(document)
		changed.WriteString("\n")
	}
}

func addSelector(object *unstructured.Unstructured) error {
	_, selects, err := unstructured.NestedMap(object.Object, "spec", "selector")
	if err != nil || selects || object.GetKind() != "Service" {
		return err
	}
	return unstructured.SetNestedStringMap(object.Object, map[string]string{"app": suite.InfraBackendServiceNameV1}, "spec", "selector")
}
