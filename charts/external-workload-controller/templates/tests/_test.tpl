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

{{/* What makes an object part of helm test: made for it, and gone afterwards. */}}
{{- define "ewc.testHook" -}}
helm.sh/hook: test
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
