// Package v1beta1 is the ExternalWorkload API, version workload.linkerd.io/v1beta1.
//
// The Go types carry the markers from which the CustomResourceDefinition, deep
// copies, OpenAPI, apply configurations, clientset, listers and informers are
// generated (hack/update-codegen.sh). The JSON form is Linkerd's: every field
// of its CustomResourceDefinition is here under the same name and type, which
// a test holds against the published one.
//
// The rules that the generated CustomResourceDefinition enforces are stricter
// than Linkerd's. Objects stored under the lax one still exist, so no reader
// of these types may rely on the rules.
//
// +k8s:deepcopy-gen=package
// +k8s:openapi-gen=true
// +groupName=workload.linkerd.io
package v1beta1
