BEGIN TRANSACTION;
CREATE TABLE access_tokens (
	user_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	hint VARCHAR NOT NULL, 
	token_hash VARCHAR NOT NULL, 
	expires_at DATETIME, 
	last_used_at DATETIME, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_access_tokens PRIMARY KEY (id), 
	CONSTRAINT fk_access_tokens_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_access_tokens_token_hash UNIQUE (token_hash)
);
INSERT INTO "access_tokens" VALUES(1,'laptop','mb_DaNxd','51142e84ee141087a90067d5f80e09ab0007cb000d4724063597b6feb4f65620',NULL,NULL,1,'2026-11-22 01:45:48.767983');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE applications (
	organisation_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	slug VARCHAR NOT NULL, 
	starter VARCHAR(32) NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_applications PRIMARY KEY (id), 
	CONSTRAINT fk_applications_organisation_id_organisations FOREIGN KEY(organisation_id) REFERENCES organisations (id), 
	CONSTRAINT uq_applications_slug UNIQUE (slug), 
	CONSTRAINT uq_applications_uuid UNIQUE (uuid)
);
INSERT INTO "applications" VALUES(7,'Demo','demo','static',1,'2026-11-22 01:45:48.227216','774df5eb-4f66-4d3e-b0f2-90e6c3901340');
INSERT INTO "applications" VALUES(6,'Other','other','static',2,'2026-11-22 01:45:48.305456','750d61c9-ab12-494c-b359-0adc8ad103bf');
CREATE TABLE audit_lines (
	actor_id INTEGER, 
	actor_name VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	organisation_id INTEGER, 
	subject VARCHAR NOT NULL, 
	details JSON NOT NULL, 
	address VARCHAR NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_audit_lines PRIMARY KEY (id), 
	CONSTRAINT fk_audit_lines_actor_id_users FOREIGN KEY(actor_id) REFERENCES users (id) ON DELETE SET NULL, 
	CONSTRAINT fk_audit_lines_organisation_id_organisations FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);
INSERT INTO "audit_lines" VALUES(1,'Alice','account.create',NULL,'alice@example.com','{}','',1,'2026-11-22 01:45:47.375000');
INSERT INTO "audit_lines" VALUES(1,'Alice','organisation.create',1,'Alice','{}','',2,'2026-11-22 01:45:47.380306');
INSERT INTO "audit_lines" VALUES(2,'Adam','account.create',NULL,'adam@example.com','{}','',3,'2026-11-22 01:45:47.540275');
INSERT INTO "audit_lines" VALUES(2,'Adam','organisation.create',2,'Adam','{}','',4,'2026-11-22 01:45:47.541997');
INSERT INTO "audit_lines" VALUES(3,'Dora','account.create',NULL,'dora@example.com','{}','',5,'2026-11-22 01:45:47.709992');
INSERT INTO "audit_lines" VALUES(3,'Dora','organisation.create',3,'Dora','{}','',6,'2026-11-22 01:45:47.711656');
INSERT INTO "audit_lines" VALUES(4,'Bob','account.create',NULL,'bob@example.com','{}','',7,'2026-11-22 01:45:47.894517');
INSERT INTO "audit_lines" VALUES(4,'Bob','organisation.create',4,'Bob','{}','',8,'2026-11-22 01:45:47.896555');
INSERT INTO "audit_lines" VALUES(5,'Rita','account.create',NULL,'rita@example.com','{}','',9,'2026-11-22 01:45:48.051752');
INSERT INTO "audit_lines" VALUES(5,'Rita','organisation.create',5,'Rita','{}','',10,'2026-11-22 01:45:48.053257');
INSERT INTO "audit_lines" VALUES(6,'Charlie','account.create',NULL,'charlie@example.com','{}','',11,'2026-11-22 01:45:48.215201');
INSERT INTO "audit_lines" VALUES(6,'Charlie','organisation.create',6,'Charlie','{}','',12,'2026-11-22 01:45:48.216655');
INSERT INTO "audit_lines" VALUES(1,'Alice','organisation.create',7,'Moon','{}','',13,'2026-11-22 01:45:48.217818');
INSERT INTO "audit_lines" VALUES(1,'Alice','member.add',7,'adam@example.com','{"role": "administrator"}','',14,'2026-11-22 01:45:48.220340');
INSERT INTO "audit_lines" VALUES(1,'Alice','member.add',7,'dora@example.com','{"role": "regular"}','',15,'2026-11-22 01:45:48.221850');
INSERT INTO "audit_lines" VALUES(1,'Alice','member.add',7,'bob@example.com','{"role": "regular"}','',16,'2026-11-22 01:45:48.223328');
INSERT INTO "audit_lines" VALUES(1,'Alice','member.add',7,'rita@example.com','{"role": "regular"}','',17,'2026-11-22 01:45:48.224738');
INSERT INTO "audit_lines" VALUES(1,'Alice','application.create',7,'demo','{}','',18,'2026-11-22 01:45:48.227811');
INSERT INTO "audit_lines" VALUES(1,'Alice','collaborator.add',7,'demo','{"email": "dora@example.com", "access": "collaborator"}','',19,'2026-11-22 01:45:48.301844');
INSERT INTO "audit_lines" VALUES(1,'Alice','collaborator.add',7,'demo','{"email": "bob@example.com", "access": "viewer"}','',20,'2026-11-22 01:45:48.304121');
INSERT INTO "audit_lines" VALUES(6,'Charlie','application.create',6,'other','{}','',21,'2026-11-22 01:45:48.305841');
INSERT INTO "audit_lines" VALUES(1,'Alice','deployment.deploy',7,'demo/test','{"commit": "6834fd28b91258550bcc3f5fa5f5e8544d8a6c27"}','',22,'2026-11-22 01:45:48.459023');
INSERT INTO "audit_lines" VALUES(1,'Alice','deployment.deploy',7,'demo/test','{"commit": "97179f3cb0403538d0b9b5eb0f6f0e985e929627"}','',23,'2026-11-22 01:45:48.634378');
INSERT INTO "audit_lines" VALUES(1,'Alice','variable.set',7,'demo/test','{"name": "COLOUR"}','',24,'2026-11-22 01:45:48.762555');
INSERT INTO "audit_lines" VALUES(1,'Alice','variable.set',7,'demo/test','{"name": "API_KEY"}','',25,'2026-11-22 01:45:48.764854');
INSERT INTO "audit_lines" VALUES(1,'Alice','release_command.add',7,'demo','{"label": "migrate"}','',26,'2026-11-22 01:45:48.765706');
INSERT INTO "audit_lines" VALUES(1,'Alice','account.token.create',NULL,'laptop','{}','',27,'2026-11-22 01:45:48.767321');
CREATE TABLE builds (
	application_id INTEGER NOT NULL, 
	environment_id INTEGER, 
	"commit" VARCHAR NOT NULL, 
	image VARCHAR NOT NULL, 
	tag VARCHAR NOT NULL, 
	exposed_ports JSON NOT NULL, 
	seconds DOUBLE NOT NULL, 
	removed_at DATETIME, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_builds PRIMARY KEY (id), 
	CONSTRAINT fk_builds_application_id_applications FOREIGN KEY(application_id) REFERENCES applications (id) ON DELETE CASCADE, 
	CONSTRAINT fk_builds_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE SET NULL
);
INSERT INTO "builds" VALUES(1,1,'6834fd28b91258550bcc3f5fa5f5e8544d8a6c27','sha256:0000000000000000000000000000000000000000000000000000000000000002','moonbase-site/demo:6834fd28b912-1','[23480]',4.54775199978030286729e-03,NULL,1,'2026-11-22 01:45:48.496868');
INSERT INTO "builds" VALUES(1,1,'97179f3cb0403538d0b9b5eb0f6f0e985e929627','sha256:0000000000000000000000000000000000000000000000000000000000000004','moonbase-site/demo:97179f3cb040-2','[23480]',1.63537499975063838064e-03,NULL,2,'2026-11-22 01:45:48.662718');
CREATE TABLE collaborators (
	application_id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	member_id INTEGER NOT NULL, 
	access VARCHAR(32) NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_collaborators PRIMARY KEY (id), 
	CONSTRAINT fk_collaborators_application_id_applications FOREIGN KEY(application_id) REFERENCES applications (id) ON DELETE CASCADE, 
	CONSTRAINT fk_collaborators_member_id_members FOREIGN KEY(member_id) REFERENCES members (id) ON DELETE CASCADE, 
	CONSTRAINT fk_collaborators_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_collaborators_application_id UNIQUE (application_id, user_id)
);
INSERT INTO "collaborators" VALUES(1,3,9,'collaborator',1,'2026-11-22 01:45:48.302704');
INSERT INTO "collaborators" VALUES(1,4,10,'viewer',2,'2026-11-22 01:45:48.304370');
CREATE TABLE containers (
	environment_id INTEGER NOT NULL, 
	deployment_id INTEGER NOT NULL, 
	release_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	address VARCHAR NOT NULL, 
	port INTEGER NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_containers PRIMARY KEY (id), 
	CONSTRAINT fk_containers_deployment_id_deployments FOREIGN KEY(deployment_id) REFERENCES deployments (id) ON DELETE CASCADE, 
	CONSTRAINT fk_containers_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE, 
	CONSTRAINT fk_containers_release_id_releases FOREIGN KEY(release_id) REFERENCES releases (id), 
	CONSTRAINT uq_containers_environment_id UNIQUE (environment_id, address), 
	CONSTRAINT uq_containers_name UNIQUE (name)
);
INSERT INTO "containers" VALUES(1,2,2,'moonbase-c1600345-0c60-web-1','127.186.0.35',23480,2,'2026-11-22 01:45:48.672427');
CREATE TABLE current_releases (
	environment_id INTEGER NOT NULL, 
	release_id INTEGER NOT NULL, 
	deployment_id INTEGER NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_current_releases PRIMARY KEY (id), 
	CONSTRAINT fk_current_releases_deployment_id_deployments FOREIGN KEY(deployment_id) REFERENCES deployments (id), 
	CONSTRAINT fk_current_releases_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE, 
	CONSTRAINT fk_current_releases_release_id_releases FOREIGN KEY(release_id) REFERENCES releases (id), 
	CONSTRAINT uq_current_releases_environment_id UNIQUE (environment_id)
);
INSERT INTO "current_releases" VALUES(1,2,2,1,'2026-11-22 01:45:48.531232');
CREATE TABLE deployment_steps (
	deployment_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	started_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_deployment_steps PRIMARY KEY (id), 
	CONSTRAINT fk_deployment_steps_deployment_id_deployments FOREIGN KEY(deployment_id) REFERENCES deployments (id) ON DELETE CASCADE
);
INSERT INTO "deployment_steps" VALUES(1,'check_out','succeeded','2026-11-22 01:45:48.475117','2026-11-22 01:45:48.486386',1,'2026-11-22 01:45:48.475914');
INSERT INTO "deployment_steps" VALUES(1,'build_image','succeeded','2026-11-22 01:45:48.488422','2026-11-22 01:45:48.497207',2,'2026-11-22 01:45:48.488848');
INSERT INTO "deployment_steps" VALUES(1,'release','succeeded','2026-11-22 01:45:48.498272','2026-11-22 01:45:48.502489',3,'2026-11-22 01:45:48.498469');
INSERT INTO "deployment_steps" VALUES(1,'run_release_commands','succeeded','2026-11-22 01:45:48.504374','2026-11-22 01:45:48.509696',4,'2026-11-22 01:45:48.504640');
INSERT INTO "deployment_steps" VALUES(1,'start_containers','succeeded','2026-11-22 01:45:48.510583','2026-11-22 01:45:48.517339',5,'2026-11-22 01:45:48.510796');
INSERT INTO "deployment_steps" VALUES(1,'wait_until_healthy','succeeded','2026-11-22 01:45:48.518337','2026-11-22 01:45:48.522252',6,'2026-11-22 01:45:48.518527');
INSERT INTO "deployment_steps" VALUES(1,'switch_traffic','succeeded','2026-11-22 01:45:48.523259','2026-11-22 01:45:48.530667',7,'2026-11-22 01:45:48.523539');
INSERT INTO "deployment_steps" VALUES(1,'retire','succeeded','2026-11-22 01:45:48.532589','2026-11-22 01:45:48.534848',8,'2026-11-22 01:45:48.532882');
INSERT INTO "deployment_steps" VALUES(2,'check_out','succeeded','2026-11-22 01:45:48.644760','2026-11-22 01:45:48.657713',9,'2026-11-22 01:45:48.645022');
INSERT INTO "deployment_steps" VALUES(2,'build_image','succeeded','2026-11-22 01:45:48.658779','2026-11-22 01:45:48.662873',10,'2026-11-22 01:45:48.659274');
INSERT INTO "deployment_steps" VALUES(2,'release','succeeded','2026-11-22 01:45:48.663945','2026-11-22 01:45:48.666479',11,'2026-11-22 01:45:48.664200');
INSERT INTO "deployment_steps" VALUES(2,'run_release_commands','succeeded','2026-11-22 01:45:48.667908','2026-11-22 01:45:48.669878',12,'2026-11-22 01:45:48.668158');
INSERT INTO "deployment_steps" VALUES(2,'start_containers','succeeded','2026-11-22 01:45:48.670789','2026-11-22 01:45:48.676342',13,'2026-11-22 01:45:48.671044');
INSERT INTO "deployment_steps" VALUES(2,'wait_until_healthy','succeeded','2026-11-22 01:45:48.677874','2026-11-22 01:45:48.684480',14,'2026-11-22 01:45:48.678103');
INSERT INTO "deployment_steps" VALUES(2,'switch_traffic','succeeded','2026-11-22 01:45:48.685607','2026-11-22 01:45:48.714721',15,'2026-11-22 01:45:48.685905');
INSERT INTO "deployment_steps" VALUES(2,'retire','succeeded','2026-11-22 01:45:48.716535','2026-11-22 01:45:48.730034',16,'2026-11-22 01:45:48.716927');
CREATE TABLE deployments (
	environment_id INTEGER NOT NULL, 
	actor_id INTEGER, 
	kind VARCHAR(32) NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	"commit" VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	release_id INTEGER, 
	previous_commit VARCHAR, 
	started_at DATETIME, 
	ended_at DATETIME, 
	lease_token VARCHAR, 
	heartbeat_at DATETIME, 
	cancel_requested_at DATETIME, 
	sentence VARCHAR NOT NULL, 
	advice VARCHAR NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_deployments PRIMARY KEY (id), 
	CONSTRAINT fk_deployments_actor_id_users FOREIGN KEY(actor_id) REFERENCES users (id) ON DELETE SET NULL, 
	CONSTRAINT fk_deployments_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE, 
	CONSTRAINT fk_deployments_release_id_releases FOREIGN KEY(release_id) REFERENCES releases (id) ON DELETE SET NULL, 
	CONSTRAINT uq_deployments_uuid UNIQUE (uuid)
);
INSERT INTO "deployments" VALUES(1,1,'deploy','succeeded','6834fd28b91258550bcc3f5fa5f5e8544d8a6c27','A change',1,NULL,'2026-11-22 01:45:48.465318','2026-11-22 01:45:48.536947',NULL,'2026-11-22 01:45:48.465318',NULL,'','',1,'2026-11-22 01:45:48.457238','7e105180-4af6-4176-89a9-9bb814338532');
INSERT INTO "deployments" VALUES(1,1,'deploy','succeeded','97179f3cb0403538d0b9b5eb0f6f0e985e929627','A change',2,'6834fd28b91258550bcc3f5fa5f5e8544d8a6c27','2026-11-22 01:45:48.638427','2026-11-22 01:45:48.732707',NULL,'2026-11-22 01:45:48.638427',NULL,'','',2,'2026-11-22 01:45:48.633532','c1600345-0c60-448a-99b4-b4bedd055f48');
CREATE TABLE domains (
	environment_id INTEGER NOT NULL, 
	host VARCHAR NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_domains PRIMARY KEY (id), 
	CONSTRAINT fk_domains_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE, 
	CONSTRAINT uq_domains_host UNIQUE (host)
);
INSERT INTO "domains" VALUES(1,'demo-stage.localhost','platform',1,'2026-11-22 01:45:48.235824');
INSERT INTO "domains" VALUES(2,'demo.localhost','platform',2,'2026-11-22 01:45:48.236428');
INSERT INTO "domains" VALUES(3,'other-stage.localhost','platform',3,'2026-11-22 01:45:48.308537');
INSERT INTO "domains" VALUES(4,'other.localhost','platform',4,'2026-11-22 01:45:48.308919');
CREATE TABLE environments (
	application_id INTEGER NOT NULL, 
	region_id INTEGER NOT NULL, 
	slug VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	branch VARCHAR NOT NULL, 
	containers INTEGER NOT NULL, 
	is_deployed_on_push BOOLEAN NOT NULL, 
	secret_key TEXT NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_environments PRIMARY KEY (id), 
	CONSTRAINT fk_environments_application_id_applications FOREIGN KEY(application_id) REFERENCES applications (id) ON DELETE CASCADE, 
	CONSTRAINT fk_environments_region_id_regions FOREIGN KEY(region_id) REFERENCES regions (id), 
	CONSTRAINT uq_environments_application_id UNIQUE (application_id, slug), 
	CONSTRAINT uq_environments_uuid UNIQUE (uuid)
);
INSERT INTO "environments" VALUES(1,1,'test','Test','main',1,0,'gAAAAABrAklMLFngKXPb-3aRfzeBsgSkykpSUkhXM-F6Kc6kncwoo13Q_AeqnIMZw8h4MzKUQKUCJU5GMwqmUQcQYYXa6XlHgPL0ki3vStqPXlL7iOe14BCUSywutsUm7CQ3uULSNxrCwKVnbp5JDzkjKxImQBpuFOzj5ZSQ-MZcF4ejDDIPWHc=',1,'2026-11-22 01:45:48.231702','47e86b90-f0a6-4d38-9c23-ce91cac97389');
INSERT INTO "environments" VALUES(1,1,'live','Live','main',1,0,'gAAAAABrAklMHBLi0F0GZbzidcj03muqQbgkEJIdFLYUDDGygAaVQ0m_yKAkUPeVE3GjP2tF8o10a7xopxriFX3IcwQFj-n4te0i1C-XdQTVPgC-sIsjCMCamCIRcgiJTzrqHu_rnIVDr9qH91AY21ZHXwB-6CzWA8MvJif7f3jRfKzE__CcmY8=',2,'2026-11-22 01:45:48.233975','43ed2098-dbf7-40b7-8563-7621f0e685ad');
INSERT INTO "environments" VALUES(2,1,'test','Test','main',1,0,'gAAAAABrAklMwLvtBkUSaOsJzP2hdLZZeSvC8J8DMzhG6lnGiw6n_IBcxV_tFkddZJ3tgBkTyDe_Dm02AjmWU_YlWayzkIEq6sdNwni6UfOCXIQ36AMl0VuUeHGxMkpk1vkwzoHVIgOWxpicG0ghIa4jEcXZwX3AgHoWIOi7P8XDD1pcyZdnSfo=',3,'2026-11-22 01:45:48.307222','6475c335-cc50-46bd-9256-8850d712c6ce');
INSERT INTO "environments" VALUES(2,1,'live','Live','main',1,0,'gAAAAABrAklMr9xTfVWY1bmlSmxcGPYqASvSX_Z-xVLxbwFVB7LocrLEbF7WJR0tHn5Ip26Q9swldFR8JHoT_pHFO1MCQ6YFPn0zRT0G3hVlzF72lSckrMpQD2N_MiEhE4Cm4EdqxW7twiy3bLezcMAWkyOY13lSPP3O9Z0E6KZUktNMleoI4D0=',4,'2026-11-22 01:45:48.307855','714bc417-49cd-46e0-be4c-61769c7961e6');
CREATE TABLE feeds (
	version INTEGER NOT NULL, 
	epoch VARCHAR NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_feeds PRIMARY KEY (id)
);
INSERT INTO "feeds" VALUES(3,'e9fc7066213849d7967a1b6173564978',1,'2026-11-22 01:45:47.190621');
CREATE TABLE ingress_nodes (
	name VARCHAR NOT NULL, 
	token_hash VARCHAR NOT NULL, 
	loaded_version INTEGER NOT NULL, 
	loaded_epoch VARCHAR NOT NULL, 
	seen_at DATETIME, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_ingress_nodes PRIMARY KEY (id), 
	CONSTRAINT uq_ingress_nodes_name UNIQUE (name), 
	CONSTRAINT uq_ingress_nodes_token_hash UNIQUE (token_hash)
);
INSERT INTO "ingress_nodes" VALUES('local','c1e705ad72cb44d698e91be46552bba8a4ceb96b8e6405bd3bbe3ee71210101e',0,'',NULL,1,'2026-11-22 01:45:47.193231');
CREATE TABLE members (
	organisation_id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	role VARCHAR(32) NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_members PRIMARY KEY (id), 
	CONSTRAINT fk_members_organisation_id_organisations FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE, 
	CONSTRAINT fk_members_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_members_organisation_id UNIQUE (organisation_id, user_id)
);
INSERT INTO "members" VALUES(1,1,'owner',1,'2026-11-22 01:45:47.379158');
INSERT INTO "members" VALUES(2,2,'owner',2,'2026-11-22 01:45:47.541527');
INSERT INTO "members" VALUES(3,3,'owner',3,'2026-11-22 01:45:47.711199');
INSERT INTO "members" VALUES(4,4,'owner',4,'2026-11-22 01:45:47.895956');
INSERT INTO "members" VALUES(5,5,'owner',5,'2026-11-22 01:45:48.052820');
INSERT INTO "members" VALUES(6,6,'owner',6,'2026-11-22 01:45:48.216242');
INSERT INTO "members" VALUES(7,1,'owner',7,'2026-11-22 01:45:48.217437');
INSERT INTO "members" VALUES(7,2,'administrator',8,'2026-11-22 01:45:48.220592');
INSERT INTO "members" VALUES(7,3,'regular',9,'2026-11-22 01:45:48.222066');
INSERT INTO "members" VALUES(7,4,'regular',10,'2026-11-22 01:45:48.223526');
INSERT INTO "members" VALUES(7,5,'regular',11,'2026-11-22 01:45:48.224931');
CREATE TABLE organisations (
	name VARCHAR NOT NULL, 
	slug VARCHAR NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_organisations PRIMARY KEY (id), 
	CONSTRAINT uq_organisations_slug UNIQUE (slug), 
	CONSTRAINT uq_organisations_uuid UNIQUE (uuid)
);
INSERT INTO "organisations" VALUES('Alice','alice',1,'2026-11-22 01:45:47.378055','b0e08303-a9ea-47ad-a478-692de973cfc1');
INSERT INTO "organisations" VALUES('Adam','adam',2,'2026-11-22 01:45:47.541307','0feec351-02f3-427f-9358-6546c308b01c');
INSERT INTO "organisations" VALUES('Dora','dora',3,'2026-11-22 01:45:47.710857','98e53489-df0b-49dd-9615-596013061893');
INSERT INTO "organisations" VALUES('Bob','bob',4,'2026-11-22 01:45:47.895693','add3674b-34cf-4e42-b8ef-2cd0a0172c92');
INSERT INTO "organisations" VALUES('Rita','rita',5,'2026-11-22 01:45:48.052634','240010f9-d228-4461-a345-f4c8615cfd26');
INSERT INTO "organisations" VALUES('Charlie','charlie',6,'2026-11-22 01:45:48.216036','b13a7d3d-9048-44b1-bfd3-aa1f3103dc5a');
INSERT INTO "organisations" VALUES('Moon','moon',7,'2026-11-22 01:45:48.217269','6e681b54-2b3d-4ca1-a73f-4dcd0ddc056b');
CREATE TABLE plans (
	slug VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	memory_mb INTEGER NOT NULL, 
	cpus DOUBLE NOT NULL, 
	pids INTEGER NOT NULL, 
	live_containers INTEGER NOT NULL, 
	build_memory_mb INTEGER NOT NULL, 
	build_cpus DOUBLE NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_plans PRIMARY KEY (id), 
	CONSTRAINT uq_plans_slug UNIQUE (slug), 
	CONSTRAINT uq_plans_uuid UNIQUE (uuid)
);
INSERT INTO "plans" VALUES('default','Default',512,1.0,256,4,2048,2.0,1,'2026-11-22 01:45:47.188276','a5f14493-aaa6-46e6-9e05-7ac0c8f7a061');
CREATE TABLE receipts (
	deployment_id INTEGER NOT NULL, 
	sent INTEGER NOT NULL, 
	failed INTEGER NOT NULL, 
	p95_ms DOUBLE NOT NULL, 
	longest_gap_ms DOUBLE NOT NULL, 
	switched_at DATETIME, 
	failures JSON NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_receipts PRIMARY KEY (id), 
	CONSTRAINT fk_receipts_deployment_id_deployments FOREIGN KEY(deployment_id) REFERENCES deployments (id) ON DELETE CASCADE, 
	CONSTRAINT uq_receipts_deployment_id UNIQUE (deployment_id)
);
INSERT INTO "receipts" VALUES(2,1,1,0.0,0.0,'2026-11-22 01:45:48.692099','{"connection: ConnectionRefusedError": 1}',1,'2026-11-22 01:45:48.731181');
CREATE TABLE regions (
	slug VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	network_pool VARCHAR NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_regions PRIMARY KEY (id), 
	CONSTRAINT uq_regions_slug UNIQUE (slug), 
	CONSTRAINT uq_regions_uuid UNIQUE (uuid)
);
INSERT INTO "regions" VALUES('local','This machine','127.186.0.0/16',1,'2026-11-22 01:45:47.184963','f46be212-e4cc-4552-8e5b-af6ca0dee8ab');
CREATE TABLE release_commands (
	application_id INTEGER NOT NULL, 
	label VARCHAR NOT NULL, 
	command VARCHAR NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_release_commands PRIMARY KEY (id), 
	CONSTRAINT fk_release_commands_application_id_applications FOREIGN KEY(application_id) REFERENCES applications (id) ON DELETE CASCADE
);
INSERT INTO "release_commands" VALUES(1,'migrate','true',1,'2026-11-22 01:45:48.766195');
CREATE TABLE releases (
	environment_id INTEGER NOT NULL, 
	build_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	"commit" VARCHAR NOT NULL, 
	image VARCHAR NOT NULL, 
	encrypted_variables TEXT NOT NULL, 
	secrets TEXT NOT NULL, 
	release_commands JSON NOT NULL, 
	port INTEGER NOT NULL, 
	containers INTEGER NOT NULL, 
	limits JSON NOT NULL, 
	hosts JSON NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_releases PRIMARY KEY (id), 
	CONSTRAINT fk_releases_build_id_builds FOREIGN KEY(build_id) REFERENCES builds (id), 
	CONSTRAINT fk_releases_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE, 
	CONSTRAINT uq_releases_environment_id UNIQUE (environment_id, number), 
	CONSTRAINT uq_releases_uuid UNIQUE (uuid)
);
INSERT INTO "releases" VALUES(1,1,1,'6834fd28b91258550bcc3f5fa5f5e8544d8a6c27','sha256:0000000000000000000000000000000000000000000000000000000000000002','gAAAAABrAklMGUQ9DQHwpejU6OowdlhXiMpNvu2NzEN6JXXUouVyhc07josjX9VzK_4ydk7pTIxOWlkCJP6DmLbzoR0U26VIKgic2B0NeAelSil1MKCrRE35Lk_twwN2OJKU_r1t_EIsrKOOm0VCkU1a-PjzVUjNuWkuqmJTVq4JFgD9ifStW4P9NqDqYejLr2SgHCLgC-4sO_59QjS3ZlWM7wrqAKH2xWnnAUtTaUN_7WMdgiNmBfKCQiVQ8pWr92VFCGFefaxMuAehN8_RN2Tc-rlgb8vG4-QdtQ8MwzP93X2QsgcwpKpi7LaXVr1AufjJGg-12l-k0Xoi5p8XviR74fwbhlBEWOqJd_gxqECuP2RI5BGIiqia9jGMYCnaLAVNNmNtHdXC','gAAAAABrAklM-i76whupQ69oL9UXWMkDq3VgMEjJ829UEgER7axwvhl7Pmk2l51Wr53y-eQgl6kOjCy8RCgCfBJ1Cy2ecrErF_H1I4dNnjLY6WuXeeVBU4Mu8PrlzdH9drYl8GewJ3Ecc-tCL9dZ2L7jwgZW4PyMYCbWOukDPNcabOLL9xVosoo=','[]',23480,1,'{"memory_bytes": 1073741824, "cpus": 1.0, "pids": 256}','["demo-stage.localhost"]',1,'2026-11-22 01:45:48.501872','4fd4b842-205a-4d11-8950-2018bf100761');
INSERT INTO "releases" VALUES(1,2,2,'97179f3cb0403538d0b9b5eb0f6f0e985e929627','sha256:0000000000000000000000000000000000000000000000000000000000000004','gAAAAABrAklMA1QPYm4TFBpDf3Lk-ZQxcSUXXhMNxx78y7tKWoBDAvlI4FrDis9LdyIB57FJfYIVAHeAVpBQydFaCTnd9RLUtItjYBtCmi2lz9BDFtyTMMMFqS9cnqJAXeVrqyVC_oPT3z8chbLBAIa4E2L78yD7DNYpNZOXFDL_1qZMKefjtQNmYUL31Vv0d2cCppAMMVaI4exP2opZyZYW6u0J91IfoIP8b8hnhmYBNO_c8KvZh1mWYXI7Qowcwdj7tBiuPzWKwkgRBUC_0EW6U01yTvdfeswkqmybAg9hdJ8dG2IGtFOI4kg5rZzlylyGnzZOU75k0fov_QoWDqhORqenSk1Z9XriTfM0Kku-Lbsu27bYOiF3aF2l4_P5H47aKHOscIP4','gAAAAABrAklMMF03jTjeIIY7Y6A6ohrU6XIRgetq5emGenpJKajCjEULF7dq_mAxuWJO67brC18wFFP1rrMJzaDC4QQMmGsVO5_YH3M-4JDbuSCDxwHHLsh5R8VZRxYjLTxLiyYH8E8frQRYahK_mpSA01iAFkz5OsXcxy41_lBCTn3AO55rXxs=','[]',23480,1,'{"memory_bytes": 1073741824, "cpus": 1.0, "pids": 256}','["demo-stage.localhost"]',2,'2026-11-22 01:45:48.666091','de877bf6-43ce-4ddd-9f6f-ee980fa88f64');
CREATE TABLE repositories (
	application_id INTEGER NOT NULL, 
	storage_node VARCHAR NOT NULL, 
	default_branch VARCHAR NOT NULL, 
	pushed_at DATETIME, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_repositories PRIMARY KEY (id), 
	CONSTRAINT fk_repositories_application_id_applications FOREIGN KEY(application_id) REFERENCES applications (id) ON DELETE CASCADE, 
	CONSTRAINT uq_repositories_application_id UNIQUE (application_id), 
	CONSTRAINT uq_repositories_uuid UNIQUE (uuid)
);
INSERT INTO "repositories" VALUES(1,'local','main',NULL,1,'2026-11-22 01:45:48.236882','c8b13963-aa0d-4a1f-bc9b-70a0caa69679');
INSERT INTO "repositories" VALUES(2,'local','main',NULL,2,'2026-11-22 01:45:48.309031','f69a19f6-fd23-4119-8798-ecc8f6917ac1');
CREATE TABLE routes (
	environment_id INTEGER NOT NULL, 
	upstreams JSON NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_routes PRIMARY KEY (id), 
	CONSTRAINT fk_routes_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE, 
	CONSTRAINT uq_routes_environment_id UNIQUE (environment_id)
);
INSERT INTO "routes" VALUES(1,'[["127.186.0.35", 23480]]',1,'2026-11-22 01:45:48.525290');
CREATE TABLE ssh_keys (
	user_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	public_key VARCHAR NOT NULL, 
	last_used_at DATETIME, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_ssh_keys PRIMARY KEY (id), 
	CONSTRAINT fk_ssh_keys_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_ssh_keys_fingerprint UNIQUE (fingerprint)
);
CREATE TABLE subnets (
	region_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	cidr VARCHAR NOT NULL, 
	environment_id INTEGER NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_subnets PRIMARY KEY (id), 
	CONSTRAINT fk_subnets_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE, 
	CONSTRAINT fk_subnets_region_id_regions FOREIGN KEY(region_id) REFERENCES regions (id), 
	CONSTRAINT uq_subnets_environment_id UNIQUE (environment_id), 
	CONSTRAINT uq_subnets_region_id UNIQUE (region_id, position)
);
INSERT INTO "subnets" VALUES(1,1,'127.186.0.32/27',1,1,'2026-11-22 01:45:48.508425');
CREATE TABLE subscriptions (
	application_id INTEGER NOT NULL, 
	plan_id INTEGER NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_subscriptions PRIMARY KEY (id), 
	CONSTRAINT fk_subscriptions_application_id_applications FOREIGN KEY(application_id) REFERENCES applications (id) ON DELETE CASCADE, 
	CONSTRAINT fk_subscriptions_plan_id_plans FOREIGN KEY(plan_id) REFERENCES plans (id), 
	CONSTRAINT uq_subscriptions_application_id UNIQUE (application_id)
);
INSERT INTO "subscriptions" VALUES(1,1,1,'2026-11-22 01:45:48.228820');
INSERT INTO "subscriptions" VALUES(2,1,2,'2026-11-22 01:45:48.306447');
CREATE TABLE tracked_branches (
	environment_id INTEGER NOT NULL, 
	head VARCHAR, 
	subject VARCHAR NOT NULL, 
	author VARCHAR NOT NULL, 
	committed_at DATETIME, 
	deployed VARCHAR, 
	pushed_by_id INTEGER, 
	waiting INTEGER NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_tracked_branches PRIMARY KEY (id), 
	CONSTRAINT fk_tracked_branches_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE, 
	CONSTRAINT fk_tracked_branches_pushed_by_id_users FOREIGN KEY(pushed_by_id) REFERENCES users (id) ON DELETE SET NULL, 
	CONSTRAINT uq_tracked_branches_environment_id UNIQUE (environment_id)
);
INSERT INTO "tracked_branches" VALUES(1,'97179f3cb0403538d0b9b5eb0f6f0e985e929627','A change','Alice','2026-11-22 01:45:48.000000','97179f3cb0403538d0b9b5eb0f6f0e985e929627',NULL,0,1,'2026-11-22 01:45:48.285555');
INSERT INTO "tracked_branches" VALUES(2,'97179f3cb0403538d0b9b5eb0f6f0e985e929627','A change','Alice','2026-11-22 01:45:48.000000',NULL,NULL,3,2,'2026-11-22 01:45:48.298960');
INSERT INTO "tracked_branches" VALUES(3,'3f45515e8235833a4354250e9127622c3d444940','Begin the site','Charlie','2026-11-22 01:45:48.000000',NULL,NULL,1,3,'2026-11-22 01:45:48.352863');
INSERT INTO "tracked_branches" VALUES(4,'3f45515e8235833a4354250e9127622c3d444940','Begin the site','Charlie','2026-11-22 01:45:48.000000',NULL,NULL,1,4,'2026-11-22 01:45:48.365539');
CREATE TABLE users (
	email VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	password_hash VARCHAR NOT NULL, 
	time_zone VARCHAR NOT NULL, 
	session_key VARCHAR NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT uq_users_email UNIQUE (email), 
	CONSTRAINT uq_users_uuid UNIQUE (uuid)
);
INSERT INTO "users" VALUES('alice@example.com','Alice','$argon2id$v=19$m=65536,t=3,p=4$2N+t73mr2fDwV+5fDawBdw$fQpoPreucbyMW5C9z/TVtA1jXD1vO1QPRARdhTkFZBE','UTC','eg4WzR6ftVgdsWKP7INeEQ',1,'2026-11-22 01:45:47.372633','9610009a-50f7-4468-bd25-9b4b45ca35b6');
INSERT INTO "users" VALUES('adam@example.com','Adam','$argon2id$v=19$m=65536,t=3,p=4$RS5rSzG5rUt2+uof80SIIg$dGd1/MEvBv9P+g8ERkgLdmXRx6TyDFcLizUPAYGYzH0','UTC','A3bYaN6aeBU0Ag_yijvxaw',2,'2026-11-22 01:45:47.539425','803e0f23-d314-48d3-b878-425548d9e885');
INSERT INTO "users" VALUES('dora@example.com','Dora','$argon2id$v=19$m=65536,t=3,p=4$L/7VwCmoMYPdHWwjQnsteA$f+OKOTpzC41/iwftLtsWbbpXQBnUruXHWSkbIJby2Aw','UTC','88MuV9D1PHMeIvESshqTzg',3,'2026-11-22 01:45:47.709330','97a5ea1a-4778-46c3-a9de-6c52c2e82392');
INSERT INTO "users" VALUES('bob@example.com','Bob','$argon2id$v=19$m=65536,t=3,p=4$KENxB1C8fpB+7Nip8GgGGg$islmIwNyaw3pDLFQ+sDYi3Y1O6RdQINQlzsQ2WcmG58','UTC','PIZYt9t9dhXf5XTlPQ3ZSA',4,'2026-11-22 01:45:47.893667','e3cca99d-cd00-4571-8c38-818e7c3bd897');
INSERT INTO "users" VALUES('rita@example.com','Rita','$argon2id$v=19$m=65536,t=3,p=4$BMUoWVh2T53GG6cRjoqNEQ$mKRmRl+eouAOY/CapvIXJSlekEk//K00LM1BipDOad0','UTC','-4_akOpXYGAW6t5nrW0ijw',5,'2026-11-22 01:45:48.051088','d56cb15a-09ba-40c2-80fb-4d1d56221eac');
INSERT INTO "users" VALUES('charlie@example.com','Charlie','$argon2id$v=19$m=65536,t=3,p=4$HV3yU6JQy1zsXlhc7GZj2g$61a1GxFlIZ2t8786Pl+J4o/GvIR9X0aKwd4Z6Muk5co','UTC','BMa4q7wiRoh6hNsIYmwEDg',6,'2026-11-22 01:45:48.214433','019fde13-bf36-4b5e-8f43-24a30a42cab2');
CREATE TABLE variables (
	environment_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	value TEXT NOT NULL, 
	is_secret BOOLEAN NOT NULL, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_variables PRIMARY KEY (id), 
	CONSTRAINT fk_variables_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE, 
	CONSTRAINT uq_variables_environment_id UNIQUE (environment_id, name)
);
INSERT INTO "variables" VALUES(1,'COLOUR','gAAAAABrAklMb_LH36Rkq8GXRkdl2Q5Nk22EEK-FksePCTr-vJxjE72qJNq3lE0bNCjXUMh7G4RMrDcQqAfWCZbDgeDB7Ianhw==',0,1,'2026-11-22 01:45:48.761641');
INSERT INTO "variables" VALUES(1,'API_KEY','gAAAAABrAklMDdNttZ2E_5w0D38hU_S09Yh6U6V4u3pHKCHIdFAwtpAyYbnxBTEgHk3EjCBRn5t--qgC7VJG5i2JYFIUchP0-ecHn9ZdLEfxdaZXYtNU17s=',1,2,'2026-11-22 01:45:48.764081');
CREATE INDEX ix_access_tokens_user_id ON access_tokens (user_id);
CREATE INDEX ix_applications_organisation_id ON applications (organisation_id);
CREATE INDEX ix_audit_lines_organisation_id_id ON audit_lines (organisation_id, id);
CREATE INDEX ix_members_user_id ON members (user_id);
CREATE INDEX ix_ssh_keys_user_id ON ssh_keys (user_id);
CREATE INDEX ix_collaborators_member_id ON collaborators (member_id);
CREATE INDEX ix_collaborators_user_id ON collaborators (user_id);
CREATE INDEX ix_release_commands_application_id ON release_commands (application_id);
CREATE INDEX ix_builds_application_id_commit ON builds (application_id, "commit");
CREATE INDEX ix_deployments_environment_id_id ON deployments (environment_id, id);
CREATE INDEX ix_deployments_status ON deployments (status);
CREATE UNIQUE INDEX uq_deployments_one_queued ON deployments (environment_id) WHERE status = 'queued';
CREATE UNIQUE INDEX uq_deployments_one_running ON deployments (environment_id) WHERE status = 'running';
CREATE INDEX ix_domains_environment_id ON domains (environment_id);
CREATE INDEX ix_deployment_steps_deployment_id ON deployment_steps (deployment_id);
CREATE INDEX ix_containers_deployment_id ON containers (deployment_id);
COMMIT;
