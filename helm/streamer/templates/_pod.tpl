{{- define "streamer.pod" -}}
metadata:
  annotations:
    # A change of the configuration is a rollout.
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "streamer.labelsWith" (list . .Values.podLabels) | nindent 4 }}
spec:
  serviceAccountName: {{ include "streamer.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "streamer.graceSeconds" . }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    # So that the files of Secrets can be read.
    fsGroup: 10001
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: streamer
      image: {{ include "streamer.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [run, --config, /etc/streamer/streamer.yaml]
      env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- range $name, $from := .Values.secrets.env }}
        - name: {{ $name }}
          valueFrom:
            secretKeyRef:
              name: {{ $from.secret }}
              key: {{ $from.key }}
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ include "streamer.port" . }}
          protocol: TCP
      startupProbe:
        httpGet: {path: /health/started, port: metrics}
        {{- toYaml .Values.probes.startup | nindent 8 }}
      readinessProbe:
        httpGet: {path: /health/ready, port: metrics}
        {{- toYaml .Values.probes.readiness | nindent 8 }}
      livenessProbe:
        httpGet: {path: /health/live, port: metrics}
        {{- toYaml .Values.probes.liveness | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        privileged: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/streamer
          readOnly: true
        {{- range $index, $files := .Values.secrets.files }}
        - name: secret-{{ $index }}
          mountPath: {{ $files.path }}
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "streamer.fullname" . }}
        items:
          - {key: streamer.yaml, path: streamer.yaml}
          {{- range $name, $_ := .Values.routeFiles }}
          - {key: routes.{{ $name }}, path: routes/{{ $name }}}
          {{- end }}
    {{- range $index, $files := .Values.secrets.files }}
    - name: secret-{{ $index }}
      secret:
        secretName: {{ $files.secret }}
        defaultMode: 0440
        {{- with $files.items }}
        items:
          {{- toYaml . | nindent 10 }}
        {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $own := dict "labelSelector" (dict "matchLabels" (include "streamer.selectorLabels" $ | fromYaml)) }}
    - {{- toYaml (merge (deepCopy .) $own) | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end -}}
