{{/* The namespace in which helm test publishes its workload. */}}
{{- define "ewc.testNamespace" -}}
{{- if .Values.test.namespace }}
{{- .Values.test.namespace }}
{{- else if or (not .Values.namespaces) (has .Release.Namespace .Values.namespaces) }}
{{- .Release.Namespace }}
{{- else }}
{{- first .Values.namespaces }}
{{- end }}
{{- end }}

{{/* The annotations of an object of helm test: created for it, and deleted afterwards. */}}
{{- define "ewc.testHook" -}}
helm.sh/hook: test
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
