// Package v1beta1 is the ExternalWorkload API, version workload.linkerd.io/v1beta1.
//
// The CustomResourceDefinition, deep copies, OpenAPI, apply configurations, clientset,
// listers and informers are generated from the markers of the Go types
// (hack/update-codegen.sh). The JSON form is Linkerd's: a test checks that every field
// of its CustomResourceDefinition exists here with the same name and type.
//
// The generated CustomResourceDefinition validates more strictly than Linkerd's. A
// cluster may contain objects that were stored under Linkerd's, so code that reads
// these types must not rely on the validation.
//
// +k8s:deepcopy-gen=package
// +k8s:openapi-gen=true
// +groupName=workload.linkerd.io
package v1beta1
