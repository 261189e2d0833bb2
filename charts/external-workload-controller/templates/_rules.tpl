{{/*
What the controller does in the namespaces that it serves, and nothing more.
The cluster-wide ClusterRole and the Role of each namespace both take this.
*/}}
{{- define "ewc.rules" -}}
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
# The slices' owner references block the deletion of their Service; clusters with
# the admission plugin OwnerReferencesPermissionEnforcement require this.
- apiGroups: [""]
  resources: [services/finalizers]
  verbs: [update]
- apiGroups: [workload.linkerd.io]
  resources: [externalworkloads]
  verbs: [list, watch]
{{- if .Values.readiness.enabled }}
- apiGroups: [workload.linkerd.io]
  resources: [externalworkloads/status]
  verbs: [update]
{{- if .Values.readiness.deleteExpired }}
- apiGroups: [workload.linkerd.io]
  resources: [externalworkloads]
  verbs: [delete]
{{- end }}
{{- end }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* The subject of all bindings. */}}
{{- define "ewc.subject" -}}
- kind: ServiceAccount
  name: {{ include "ewc.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
