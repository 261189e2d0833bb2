// Command openapi prints the OpenAPI v2 definitions of our API types as JSON.
// The generator of the apply configurations takes its merge schema from them.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/external-workload/controller/pkg/generated/openapi"
)

func main() {
	if err := json.NewEncoder(os.Stdout).Encode(swagger()); err != nil {
		fmt.Fprintln(os.Stderr, "printing the OpenAPI definitions:", err)
		os.Exit(1)
	}
}

func swagger() *spec.Swagger {
	definitions := spec.Definitions{}
	for name, definition := range openapi.GetOpenAPIDefinitions(reference) {
		definitions[friendly(name)] = definition.Schema
	}
	return &spec.Swagger{SwaggerProps: spec.SwaggerProps{
		Swagger:     "2.0",
		Info:        &spec.Info{InfoProps: spec.InfoProps{Title: "ExternalWorkload", Version: "v1beta1"}},
		Definitions: definitions,
	}}
}

func reference(name string) spec.Ref {
	return spec.MustCreateRef("#/definitions/" + friendly(name))
}

// friendly returns the name under which the generator and a scheme look for a type. The
// domain of a Go path is reversed, as in com.github.example.Type.
func friendly(name string) string {
	if !strings.Contains(name, "/") {
		return name
	}
	return util.ToRESTFriendlyName(name)
}
