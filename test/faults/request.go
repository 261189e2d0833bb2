package faults

import (
	"net/http"
	"strings"
)

// request has the properties of a request that a rule can match, in the API server's terms.
type request struct {
	Verb        string
	Resource    string
	Subresource string
	Namespace   string
	Name        string
	// Lists is true for a watch that begins with all objects: the newer form of a list.
	Lists bool
	// One says that a list is of one object: the question which version there is.
	One bool
}

const verbWatch = "watch"

// parseRequest reads the path and query of a request to the API server. Paths
// outside /api and /apis give the HTTP method as the verb and no resource.
func parseRequest(r *http.Request) request {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return request{Verb: strings.ToLower(r.Method)}
	}
	var parsed request
	if parts[0] == "namespaces" && len(parts) > 2 {
		parsed.Namespace, parts = parts[1], parts[2:]
	}
	parsed.Resource = parts[0]
	if len(parts) > 1 {
		parsed.Name = parts[1]
	}
	if len(parts) > 2 {
		parsed.Subresource = parts[2]
	}
	parsed.Verb = verbOf(r, parsed.Name)
	parsed.One = parsed.Verb == "list" && r.URL.Query().Get("limit") == "1"
	parsed.Lists = parsed.Verb == verbWatch && r.URL.Query().Get("sendInitialEvents") == "true"
	return parsed
}

func verbOf(r *http.Request, name string) string {
	switch r.Method {
	case http.MethodGet:
		if watch := r.URL.Query().Get("watch"); watch == "true" || watch == "1" {
			return verbWatch
		}
		if name == "" {
			return "list"
		}
		return "get"
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodDelete:
		if name == "" {
			return "deletecollection"
		}
		return "delete"
	default:
		return strings.ToLower(r.Method)
	}
}

func (r request) isWrite() bool {
	switch r.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	default:
		return false
	}
}
